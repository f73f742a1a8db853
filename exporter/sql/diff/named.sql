-- `named`: every repository that either snapshot lists, or has images of, and which of them does.
-- What has no name, or names no registry, has empty texts here, so that it can be joined.

CREATE TABLE named AS
SELECT
    coalesce(any_value(registry_id), '') AS registry_id,
    coalesce(repository_name, '') AS repository_name,
    bool_or(NOT is_after) AS in_before,
    bool_or(is_after) AS in_after
FROM (
    SELECT registry_id, repository_name, false AS is_after FROM "before".repositories
    UNION ALL
    SELECT DISTINCT registry_id, repository_name, false FROM "before".images
    UNION ALL
    SELECT registry_id, repository_name, true FROM "after".repositories
    UNION ALL
    SELECT DISTINCT registry_id, repository_name, true FROM "after".images
)
GROUP BY repository_name;

-- A number for a column: one past BIGINT is said as the nearest it can hold.
CREATE MACRO whole(number) AS
    CASE
        WHEN number::HUGEINT > 9223372036854775807 THEN 9223372036854775807
        WHEN number::HUGEINT < -9223372036854775808 THEN -9223372036854775808
        ELSE number
    END::BIGINT;
