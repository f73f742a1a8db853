-- The repositories into which nobody has pushed for long, the largest first.
-- The age is that on the day of the snapshot. exclusive_size is what deleting the whole repository
-- would free.
-- $older_than: age = 180d -- how long ago the newest image was created, at least
-- $limit: count = 50 -- how many repositories to show
-- none: Every repository has a newer image.
SELECT
    scope_id AS repository_name,
    newest_image_at,
    date_diff('day', newest_image_at, snapshots.started_at) AS days,
    image_count,
    stored_size,
    exclusive_size
FROM size_totals, snapshots
WHERE scope = 'repository' AND newest_image_at <= snapshots.started_at - $older_than
ORDER BY exclusive_size DESC, repository_name
LIMIT $limit
