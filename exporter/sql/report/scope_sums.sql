-- All registries, and all repositories, as one row each: what is not among the largest is the rest.

SELECT
    scope,
    count(*) AS count,
    sum(image_count) AS images,
    sum(untagged_image_count) AS untagged_images,
    sum(stored_size) AS stored_size,
    sum(exclusive_size) AS exclusive_size,
    sum(untagged_size) AS untagged_size,
    sum(logical_size) AS logical_size,
    sum(repository_count) AS repositories
FROM size_totals
WHERE scope IN ('registry', 'repository')
GROUP BY scope
