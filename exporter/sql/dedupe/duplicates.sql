-- The images whose id occurs more than once, with their occurrences.
--
-- `places_<table>` are the listed tables with `part` and `part_row`, a row's place on disk. A page's rows
-- were appended to the three tables in the same order, so the first occurrence of an image has the
-- first `layer_count` of its layers, the second the next ones, and so on. The occurrences
-- are numbered by their places alone: rows that are sorted with their content would spill.

CREATE OR REPLACE TABLE occurrences AS
SELECT
    image_id,
    config_digest,
    layer_count,
    part,
    part_row,
    row_number() OVER by_place AS occurrence,
    coalesce(sum(layer_count) OVER (by_place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
        AS layers_before,
    -- The number among the occurrences with a config digest, or among those without one. (If a
    -- config has no digest, it makes no difference to which of several such images it belongs.)
    row_number() OVER (PARTITION BY image_id, config_digest IS NULL ORDER BY part, part_row)
        AS config_number
FROM places_images
SEMI JOIN (
    SELECT image_id FROM images
    WHERE image_id IS NOT NULL
    GROUP BY image_id HAVING count(*) > 1
) AS doubled USING (image_id)
WINDOW by_place AS (PARTITION BY image_id ORDER BY part, part_row);

CREATE OR REPLACE TABLE occurring_layers AS
SELECT
    layers.*,
    occurrence,
    number - layers_before AS place
FROM (
    SELECT
        image_id,
        part,
        part_row,
        row_number() OVER (PARTITION BY image_id ORDER BY part, part_row) - 1 AS number
    FROM places_layers SEMI JOIN occurrences USING (image_id)
) AS layers
LEFT JOIN occurrences
    ON occurrences.image_id = layers.image_id
    AND number >= layers_before
    AND number < layers_before + layer_count;

CREATE OR REPLACE TABLE occurring_configs AS
SELECT configs.*, occurrence
FROM (
    SELECT
        image_id,
        digest,
        part,
        part_row,
        row_number() OVER (PARTITION BY image_id, digest IS NULL ORDER BY part, part_row) AS number
    FROM places_config_blobs SEMI JOIN occurrences USING (image_id)
) AS configs
LEFT JOIN occurrences
    ON occurrences.image_id = configs.image_id
    AND (config_digest IS NULL) = (configs.digest IS NULL)
    AND config_number = number;

-- What stands at those places.

CREATE OR REPLACE TABLE image_contents AS
SELECT places_images.*, occurrence
FROM places_images JOIN occurrences USING (part, part_row);

CREATE OR REPLACE TABLE layer_contents AS
SELECT places_layers.image_id, place, occurrence, blob_id, digest, size, urls
FROM places_layers JOIN occurring_layers USING (part, part_row);
