ALTER TABLE `qmon`.`events_local` ON CLUSTER 'main' DELETE WHERE (`user_id` = 'o\'\\' OR `anonymous_id` = 'o\'\\' OR (`attributes`['enduser.id'] = 'o\'\\' OR `attributes`['user'] = 'o\'\\' OR `attributes`['user.email'] = 'o\'\\' OR `attributes`['user.id'] = 'o\'\\' OR `attributes`['user.name'] = 'o\'\\' OR `attributes`['user_id'] = 'o\'\\')) AND NOT ((TRUE AND service = 'it\'s' AND toUnixTimestamp64Nano(time) >= 5));

SELECT latest_fail_reason FROM clusterAllReplicas('main', system.mutations) WHERE database = 'qmon' AND table = 'events_local' AND NOT is_done ORDER BY latest_fail_reason DESC;

ALTER TABLE `qmon`.`logs_local` ON CLUSTER 'main' DELETE WHERE ((`attributes`['enduser.id'] = 'o\'\\' OR `attributes`['user'] = 'o\'\\' OR `attributes`['user.email'] = 'o\'\\' OR `attributes`['user.id'] = 'o\'\\' OR `attributes`['user.name'] = 'o\'\\' OR `attributes`['user_id'] = 'o\'\\')) AND NOT FALSE;

SELECT latest_fail_reason FROM clusterAllReplicas('main', system.mutations) WHERE database = 'qmon' AND table = 'logs_local' AND NOT is_done ORDER BY latest_fail_reason DESC;

ALTER TABLE `qmon`.`points_1h_parts_local` ON CLUSTER 'main' DELETE WHERE ((`attributes`['enduser.id'] = 'o\'\\' OR `attributes`['user'] = 'o\'\\' OR `attributes`['user.email'] = 'o\'\\' OR `attributes`['user.id'] = 'o\'\\' OR `attributes`['user.name'] = 'o\'\\' OR `attributes`['user_id'] = 'o\'\\')) AND NOT FALSE;

SELECT latest_fail_reason FROM clusterAllReplicas('main', system.mutations) WHERE database = 'qmon' AND table = 'points_1h_parts_local' AND NOT is_done ORDER BY latest_fail_reason DESC;

