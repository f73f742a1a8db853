-- The repositories whose untagged images take the most bytes.
-- untagged_size is what deleting the repository's untagged images would free.
-- $limit: count = 20 -- how many repositories to show
-- none: No image that was listed is untagged; some OCI registries do not show such images.
SELECT
    scope_id AS repository_name,
    untagged_image_count,
    image_count,
    untagged_size,
    stored_size,
    newest_image_at
FROM size_totals
WHERE scope = 'repository' AND untagged_image_count > 0
ORDER BY untagged_size DESC, repository_name
LIMIT $limit
