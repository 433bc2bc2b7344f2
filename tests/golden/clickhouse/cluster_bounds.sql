SELECT partition_id, sum(bytes_on_disk), sum(rows) FROM cluster('main', system.parts) WHERE database = 'qmon' AND table = 'logs_local' AND active GROUP BY partition_id ORDER BY partition_id;

SELECT partition_id, sum(bytes_on_disk), sum(rows) FROM cluster('main', system.parts) WHERE database = 'qmon' AND table = 'points_1h_parts_local' AND active GROUP BY partition_id ORDER BY partition_id;

SELECT toString(toYYYYMMDD(toDate(time))) AS day, service, count() FROM `qmon`.`logs` WHERE toDate(time) IN ('2026-11-26', '2026-11-27') GROUP BY day, service;

ALTER TABLE `qmon`.`logs_local` ON CLUSTER 'main' DROP PARTITION ID '20261126';

SELECT 1 FROM clusterAllReplicas('main', system.mutations) WHERE database = 'qmon' AND table = 'logs_local' AND NOT is_done AND command LIKE '%DELETE IN PARTITION ID%' LIMIT 1;

ALTER TABLE `qmon`.`logs_local` ON CLUSTER 'main' DELETE IN PARTITION ID '20261127' WHERE service IN ('it\'s', 'shop') AND NOT ((TRUE AND service = 'it\'s' AND toUnixTimestamp64Nano(time) >= 5));

KILL MUTATION ON CLUSTER 'main' WHERE database = 'qmon' AND table = 'logs_local' AND NOT is_done AND command LIKE '%DELETE IN PARTITION ID%';

