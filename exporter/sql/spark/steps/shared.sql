-- Made from ../../steps/shared.sql: change that one, and run scripts/transpile.
CREATE TEMPORARY VIEW uses AS
SELECT
  repository,
  digest,
  size,
  smallest,
  reference_count,
  moves,
  tagged,
  registry,
  digest_hash,
  is_config
FROM (
  SELECT
    *
  FROM layer_uses
) AS branch
UNION ALL
SELECT
  repository,
  digest,
  size,
  smallest,
  reference_count,
  NULL AS moves,
  NULL AS tagged,
  registry,
  digest_hash,
  is_config
FROM (
  SELECT
    *
  FROM config_uses
) AS branch
;
CREATE TABLE common_hashes AS
SELECT
  digest_hash,
  MIN(smallest) <> MAX(size) AS differs
FROM uses
WHERE
  NOT digest_hash IS NULL
GROUP BY
  digest_hash
HAVING
  COUNT(*) > 1 OR differs
;
CREATE TABLE shared_hashes AS
SELECT
  is_config,
  registry,
  digest_hash
FROM uses
SEMI JOIN common_hashes
  USING (digest_hash)
GROUP BY
  is_config,
  registry,
  digest_hash
HAVING
  COUNT(*) > 1
;
CREATE TABLE shared AS
SELECT
  is_config,
  registry,
  digest,
  CASE WHEN COUNT(*) = 1 THEN MIN(repository) END AS repository,
  MAX(size) AS size,
  MIN(smallest) AS smallest,
  CAST(SUM(CAST(reference_count AS DECIMAL(38, 0))) AS BIGINT) AS reference_count,
  COUNT(*) AS repository_count,
  BOOL_OR(tagged) AS tagged
FROM uses
SEMI JOIN shared_hashes
  USING (is_config, registry, digest_hash)
WHERE
  NOT digest IS NULL
GROUP BY
  is_config,
  registry,
  digest
;
CREATE TEMPORARY VIEW held AS
SELECT
  is_config,
  registry,
  digest,
  repository,
  size,
  smallest,
  reference_count,
  repository_count,
  tagged
FROM (
  SELECT
    is_config,
    registry,
    digest,
    repository,
    size,
    smallest,
    reference_count,
    1 AS repository_count,
    tagged
  FROM uses
  ANTI JOIN shared_hashes
    USING (is_config, registry, digest_hash)
  WHERE
    NOT digest_hash IS NULL
) AS branch
UNION ALL
SELECT
  is_config,
  registry,
  digest,
  repository,
  size,
  smallest,
  reference_count,
  repository_count,
  tagged
FROM (
  SELECT
    *
  FROM shared
) AS branch
