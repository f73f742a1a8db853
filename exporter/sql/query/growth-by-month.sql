-- The images by the month of their creation, and the bytes that came with them.
-- new_size counts a layer in the month of the oldest image of its registry that uses it. What was
-- deleted since is not counted.
-- $months: count = 24 -- how many of the latest months to show
-- none: There are no images.
WITH months AS (
    SELECT
        image_id,
        repository_name,
        coalesce(NOT reachable, tag_count = 0) AS is_untagged,
        compressed_size,
        coalesce(strftime(created_at AT TIME ZONE 'UTC', '%Y-%m'), 'unknown') AS month
    FROM images
),
came AS (
    SELECT month, sum(size) AS size
    FROM (
        SELECT max(layers.size) AS size, min(month) AS month
        FROM layers JOIN months USING (image_id)
        GROUP BY layers.registry_id, layers.digest
    )
    GROUP BY month
)
FROM (
    SELECT
        months.month,
        count(*) AS image_count,
        count(*) FILTER (is_untagged) AS untagged_image_count,
        count(DISTINCT repository_name) AS repository_count,
        sum(compressed_size) AS logical_size,
        coalesce(any_value(came.size), 0) AS new_size
    FROM months LEFT JOIN came USING (month)
    GROUP BY months.month
    ORDER BY months.month DESC
    LIMIT $months
)
ORDER BY month
