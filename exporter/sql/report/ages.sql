-- How old the images were when the snapshot was started: counts and bytes for each of the ages.
--
-- `$days` are the lower bounds in days, rising, the first 0. An image from the future is of the
-- first age; one whose time is unknown has a null age.

SELECT
    list_last(list_filter($days::BIGINT[], lambda bound: bound <= days)) AS days,
    count(*) FILTER (NOT is_untagged) AS tagged_images,
    count(*) FILTER (is_untagged) AS untagged_images,
    coalesce(sum(compressed_size), 0) AS logical_size
FROM (
    SELECT
        coalesce(NOT reachable, tag_count = 0) AS is_untagged,
        compressed_size,
        greatest(0, floor(epoch($started_at::TIMESTAMPTZ - created_at) / 86400))::BIGINT AS days
    FROM images
)
GROUP BY ALL
ORDER BY days NULLS LAST
