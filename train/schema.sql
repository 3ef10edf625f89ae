-- A model of cbtools; see cbtools-model(5). Numbers of fields and symbols are their order. What was counted is kept by
-- batch (a run of ctrain): batches add up, and can be forgotten.
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS source (id INTEGER PRIMARY KEY, batch INTEGER NOT NULL, path TEXT NOT NULL, hash TEXT,
	rows INTEGER NOT NULL, lost INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS subject (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
	containers INTEGER NOT NULL, days REAL NOT NULL, dropped INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS subject_batch (subject INTEGER NOT NULL, batch INTEGER NOT NULL, containers INTEGER NOT NULL,
	days REAL NOT NULL, dropped INTEGER NOT NULL, PRIMARY KEY (subject, batch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS program (id INTEGER PRIMARY KEY, subject INTEGER NOT NULL, path TEXT NOT NULL, calls INTEGER NOT NULL,
	units INTEGER NOT NULL, instances INTEGER NOT NULL, mass REAL NOT NULL, state TEXT NOT NULL,
	UNIQUE (subject, path));
CREATE TABLE IF NOT EXISTS program_batch (program INTEGER NOT NULL, batch INTEGER NOT NULL, calls INTEGER NOT NULL,
	units INTEGER NOT NULL, instances INTEGER NOT NULL, PRIMARY KEY (program, batch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS field (id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
	UNIQUE (dataset, name));
-- somebody watched for it, if only to see nothing
CREATE TABLE IF NOT EXISTS field_batch (subject INTEGER NOT NULL, field INTEGER NOT NULL, batch INTEGER NOT NULL,
	PRIMARY KEY (subject, field, batch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS symbol (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
-- k: up to 6 symbols of 10 bits, the newest lowest, their number in the top 4 bits
CREATE TABLE IF NOT EXISTS ngram (program INTEGER NOT NULL, k INTEGER NOT NULL, fold INTEGER NOT NULL, batch INTEGER NOT NULL,
	n INTEGER NOT NULL, units INTEGER NOT NULL, PRIMARY KEY (program, k, fold, batch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS item (subject INTEGER NOT NULL, field INTEGER NOT NULL, level INTEGER NOT NULL, value TEXT NOT NULL,
	batch INTEGER NOT NULL, n INTEGER NOT NULL, units INTEGER NOT NULL, start INTEGER NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL,
	PRIMARY KEY (subject, field, level, value, batch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped (subject INTEGER NOT NULL, field INTEGER NOT NULL, level INTEGER NOT NULL,
	batch INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (subject, field, level, batch)) WITHOUT ROWID;
-- block maxima of held-out folds: hist counts all but the largest by mean cost, window holds those whole
CREATE TABLE IF NOT EXISTS heldout (program INTEGER NOT NULL, scale INTEGER NOT NULL, batch INTEGER NOT NULL,
	blocks INTEGER NOT NULL, hist BLOB NOT NULL, PRIMARY KEY (program, scale, batch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heldout_top (program INTEGER NOT NULL, scale INTEGER NOT NULL, batch INTEGER NOT NULL,
	rank INTEGER NOT NULL, sum INTEGER NOT NULL, fold INTEGER NOT NULL, before INTEGER NOT NULL, symbols BLOB NOT NULL,
	PRIMARY KEY (program, scale, batch, rank)) WITHOUT ROWID;
-- maxima of blocks of 10 s: top holds the largest, hist counts the others by quarters of a power of two; start is the
-- largest while containers started
CREATE TABLE IF NOT EXISTS rate_batch (subject INTEGER NOT NULL, field INTEGER NOT NULL, program TEXT NOT NULL,
	span INTEGER NOT NULL, batch INTEGER NOT NULL, blocks INTEGER NOT NULL, starts INTEGER NOT NULL, start REAL NOT NULL,
	top BLOB NOT NULL, hist BLOB NOT NULL, PRIMARY KEY (subject, field, program, span, batch));
-- what follows from them
CREATE TABLE IF NOT EXISTS rate (subject INTEGER NOT NULL, field INTEGER NOT NULL, program TEXT NOT NULL,
	span INTEGER NOT NULL, floor REAL NOT NULL, scored INTEGER NOT NULL, score REAL NOT NULL, per_day REAL NOT NULL,
	largest REAL NOT NULL, scale REAL NOT NULL, effective INTEGER NOT NULL, aside INTEGER NOT NULL,
	PRIMARY KEY (subject, field, program, span)) WITHOUT ROWID;
-- detector: window20, window200, calls (of a program), set (of a subject and field)
CREATE TABLE IF NOT EXISTS threshold (subject INTEGER NOT NULL, program INTEGER NOT NULL, field INTEGER NOT NULL,
	detector TEXT NOT NULL, scored INTEGER NOT NULL, score REAL NOT NULL, per_day REAL NOT NULL, top REAL NOT NULL,
	scale REAL NOT NULL, blocks INTEGER NOT NULL, aside INTEGER NOT NULL, level INTEGER NOT NULL,
	PRIMARY KEY (subject, program, field, detector)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS allow (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, program TEXT NOT NULL, field TEXT NOT NULL,
	value TEXT NOT NULL, reason TEXT NOT NULL, expires INTEGER NOT NULL, added INTEGER NOT NULL);
