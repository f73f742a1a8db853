-- The repositories that store the most bytes.
-- stored_size counts each layer once in the repository, exclusive_size is what deleting the whole
-- repository would free, untagged_size what deleting its untagged images would free.
-- $limit: count = 20 -- how many repositories to show
SELECT
    scope_id AS repository_name,
    image_count,
    stored_size,
    exclusive_size,
    untagged_size,
    newest_image_at
FROM size_totals
WHERE scope = 'repository'
ORDER BY stored_size DESC, repository_name
LIMIT $limit
