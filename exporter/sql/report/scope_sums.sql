-- All registries, and all repositories, as one row each: what is not among the largest is the rest.

SELECT
    scope,
    count(*) AS count,
    sum(image_count) AS images,
    -- Not known as soon as one of them is not.
    CASE WHEN bool_and(untagged_image_count IS NOT NULL) THEN sum(untagged_image_count) END
        AS untagged_images,
    sum(stored_size) AS stored_size,
    sum(exclusive_size) AS exclusive_size,
    CASE WHEN bool_and(untagged_size IS NOT NULL) THEN sum(untagged_size) END AS untagged_size,
    sum(logical_size) AS logical_size,
    sum(repository_count) AS repositories
FROM size_totals
WHERE scope IN ('registry', 'repository')
GROUP BY scope
