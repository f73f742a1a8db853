-- The rows to drop, by their place on disk: all but the first of each key.

SELECT 'images' AS "table", part, part_row, registry_id
FROM occurrences WHERE occurrence > 1
UNION ALL
SELECT 'layers', part, part_row, registry_id
FROM occurring_layers WHERE occurrence IS DISTINCT FROM 1
UNION ALL
SELECT 'config_blobs', part, part_row, registry_id
FROM occurring_configs WHERE occurrence IS DISTINCT FROM 1
UNION ALL
SELECT 'repositories', part, part_row, registry_id
FROM places_repositories
WHERE repository_name IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY repository_name ORDER BY part, part_row) > 1
UNION ALL
SELECT 'registries', part, part_row, registry_id
FROM places_registries
WHERE registry_id IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY registry_id ORDER BY part, part_row) > 1
UNION ALL
SELECT 'folders', part, part_row, NULL
FROM places_folders
WHERE folder_id IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY folder_id ORDER BY part, part_row) > 1
UNION ALL
SELECT 'clouds', part, part_row, NULL
FROM places_clouds
WHERE cloud_id IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY cloud_id ORDER BY part, part_row) > 1
ORDER BY "table", part, part_row
