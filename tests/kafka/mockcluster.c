/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mockcluster TOPIC PARTITIONS...: a Kafka cluster of one broker that librdkafka plays, on loopback. Prints its
 * address and ends with its standard input. Keeps some 5 MiB a partition.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char why[512], c;
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
	rd_kafka_mock_cluster_t *cluster = rk ? rd_kafka_mock_cluster_new(rk, 1) : NULL;

	if (!cluster) {
		fprintf(stderr, "mockcluster: %s\n", rk ? "no cluster" : why);
		return 1;
	}
	for (int i = 1; i + 1 < argc; i += 2)
		if (rd_kafka_mock_topic_create(cluster, argv[i], atoi(argv[i + 1]), 1)) {
			fprintf(stderr, "mockcluster: no topic %s\n", argv[i]);
			return 1;
		}
	puts(rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) == 1)
		;
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
