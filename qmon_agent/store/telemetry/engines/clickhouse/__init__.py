"""ClickHouse, by HTTP through clickhouse-connect; or in this process through chdb."""
