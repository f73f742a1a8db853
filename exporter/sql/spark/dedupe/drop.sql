-- Made from ../../dedupe/drop.sql: change that one, and run scripts/transpile.
SELECT
  'images' AS `table`,
  part,
  part_row
FROM occurrences
WHERE
  occurrence > 1
UNION ALL
SELECT
  'layers',
  part,
  part_row
FROM occurring_layers
WHERE
  occurrence IS DISTINCT FROM 1
UNION ALL
SELECT
  'config_blobs',
  part,
  part_row
FROM occurring_configs
WHERE
  occurrence IS DISTINCT FROM 1
UNION ALL
SELECT
  `table`,
  part,
  part_row
FROM (
  SELECT
    'image_references' AS `table`,
    part,
    part_row,
    ROW_NUMBER() OVER (PARTITION BY image_id, position ORDER BY part NULLS LAST, part_row NULLS LAST) AS _w
  FROM places_image_references
  SEMI JOIN occurrences
    USING (image_id)
) AS _t
WHERE
  _w > 1
UNION ALL
SELECT
  `table`,
  part,
  part_row
FROM (
  SELECT
    'repositories' AS `table`,
    part,
    part_row,
    ROW_NUMBER() OVER (PARTITION BY repository_name ORDER BY part NULLS LAST, part_row NULLS LAST) AS _w
  FROM places_repositories
  WHERE
    NOT repository_name IS NULL
) AS _t
WHERE
  _w > 1
ORDER BY
  `table` NULLS LAST,
  part NULLS LAST,
  part_row NULLS LAST
