-- The rows to drop, by their place on disk: all but the first of each key.

SELECT 'images' AS "table", part, part_row
FROM occurrences WHERE occurrence > 1
UNION ALL
SELECT 'layers', part, part_row
FROM occurring_layers WHERE occurrence IS DISTINCT FROM 1
UNION ALL
SELECT 'config_blobs', part, part_row
FROM occurring_configs WHERE occurrence IS DISTINCT FROM 1
UNION ALL
-- Only a registry whose images are known by their digest has references, so they are always the same.
SELECT 'image_references' AS "table", part, part_row
FROM places_image_references SEMI JOIN occurrences USING (image_id)
QUALIFY row_number() OVER (PARTITION BY image_id, position ORDER BY part, part_row) > 1
UNION ALL
SELECT 'repositories' AS "table", part, part_row
FROM places_repositories
WHERE repository_name IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY repository_name ORDER BY part, part_row) > 1
ORDER BY "table", part, part_row
