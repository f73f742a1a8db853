-- The tag index: a row for each tag of each image, one for a tag that an image has twice.
-- (Repositories are numbered in the order of their names, and numbers sort faster.)

SELECT
    images.registry_id,
    repository_name,
    unnest(list_distinct(tags)) AS tag,
    image_id,
    digest,
    created_at
FROM images LEFT JOIN repository_scopes USING (repository_name)
ORDER BY repository, tag, image_id
