-- Made from ../../steps/repeats.sql: change that one, and run scripts/transpile.
CREATE TABLE repeats AS
SELECT
  COALESCE(registry, 0) AS registry,
  digest,
  CAST(SUM(CAST(times - 1 AS DECIMAL(38, 0))) AS BIGINT) AS surplus,
  FALSE AS is_config
FROM (
  SELECT
    image_id,
    digest,
    ANY_VALUE(repository_name) IGNORE NULLS AS repository_name,
    COUNT(*) AS times
  FROM layers
  SEMI JOIN (
    SELECT DISTINCT
      digest
    FROM layer_uses
    WHERE
      moves
  )
    USING (digest)
  WHERE
    distributable IS DISTINCT FROM FALSE
  GROUP BY
    image_id,
    digest
  HAVING
    COUNT(*) > 1
)
LEFT JOIN repository_scopes
  USING (repository_name)
GROUP BY ALL
