-- Made from ../../steps/reach.sql: change that one, and run scripts/transpile.
CREATE TABLE leads AS
SELECT
  UNHEX(MD5(refs.image_id)) AS origin,
  UNHEX(MD5(child_image_id)) AS target
FROM image_references AS refs
JOIN images
  ON images.image_id = child_image_id
UNION
SELECT
  UNHEX(MD5(CONCAT(COALESCE(repository_name, ''), '@', COALESCE(subject_digest, '')))),
  UNHEX(MD5(image_id))
FROM images
WHERE
  NOT subject_digest IS NULL
;
CREATE TABLE unreached_origins AS
SELECT DISTINCT
  origin AS node
FROM leads
;
CREATE TABLE unreached_steps AS
SELECT
  origin,
  target
FROM leads
SEMI JOIN unreached_origins AS origins
  ON target = node
;
-- unreached_passed: the first rows
SELECT
  node
FROM unreached_origins AS origins
JOIN images
  ON UNHEX(MD5(image_id)) = node
WHERE
  tag_count > 0
;
-- unreached_passed: the rows that follow from new ones
SELECT
  target
FROM unreached_steps AS steps
JOIN unreached_passed AS passed
  ON origin = node
;
CREATE TABLE unreached AS
SELECT
  image_id,
  repository_name
FROM images
ANTI JOIN (
  SELECT
    target
  FROM leads
  JOIN unreached_passed AS passed
    ON origin = node
) AS led
  ON UNHEX(MD5(image_id)) = target
WHERE
  NOT kind IS NULL AND tag_count = 0
;
CREATE TABLE attestations AS
SELECT
  image_id
FROM images
SEMI JOIN (
  SELECT
    child_image_id
  FROM image_references
  WHERE
    relation = 'attestation'
)
  ON image_id = child_image_id
WHERE
  NOT kind IN ('index', 'attestation')
