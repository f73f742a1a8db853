-- Made from ../../dedupe/duplicates.sql: change that one, and run scripts/transpile.
CREATE TABLE occurrences AS
SELECT
  image_id,
  config_digest,
  layer_count,
  part,
  part_row,
  ROW_NUMBER() OVER (PARTITION BY image_id ORDER BY part NULLS LAST, part_row NULLS LAST) AS occurrence,
  COALESCE(
    SUM(CAST(layer_count AS DECIMAL(38, 0))) OVER (
      PARTITION BY image_id
      ORDER BY part NULLS LAST, part_row NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ),
    0
  ) AS layers_before,
  ROW_NUMBER() OVER (
    PARTITION BY image_id, config_digest IS NULL
    ORDER BY part NULLS LAST, part_row NULLS LAST
  ) AS config_number
FROM places_images
SEMI JOIN (
  SELECT
    image_id
  FROM images
  WHERE
    NOT image_id IS NULL
  GROUP BY
    image_id
  HAVING
    COUNT(*) > 1
) AS doubled
  USING (image_id)
;
CREATE TABLE occurring_layers AS
SELECT
  layers.*,
  occurrence,
  number - layers_before AS place
FROM (
  SELECT
    image_id,
    part,
    part_row,
    ROW_NUMBER() OVER (PARTITION BY image_id ORDER BY part NULLS LAST, part_row NULLS LAST) - 1 AS number
  FROM places_layers
  SEMI JOIN occurrences
    USING (image_id)
) AS layers
LEFT JOIN occurrences
  ON occurrences.image_id = layers.image_id
  AND number >= layers_before
  AND number < layers_before + layer_count
;
CREATE TABLE occurring_configs AS
SELECT
  configs.*,
  occurrence
FROM (
  SELECT
    image_id,
    digest,
    part,
    part_row,
    ROW_NUMBER() OVER (
      PARTITION BY image_id, digest IS NULL
      ORDER BY part NULLS LAST, part_row NULLS LAST
    ) AS number
  FROM places_config_blobs
  SEMI JOIN occurrences
    USING (image_id)
) AS configs
LEFT JOIN occurrences
  ON occurrences.image_id = configs.image_id
  AND (
    config_digest IS NULL
  ) = (
    configs.digest IS NULL
  )
  AND config_number = number
;
CREATE TABLE image_contents AS
SELECT
  places_images.*,
  occurrence
FROM places_images
JOIN occurrences
  USING (part, part_row)
;
CREATE TABLE layer_contents AS
SELECT
  places_layers.image_id,
  place,
  occurrence,
  blob_id,
  digest,
  size,
  urls
FROM places_layers
JOIN occurring_layers
  USING (part, part_row)
