-- The repositories, the largest first, at most `$most`.

SELECT
    repositories.scope_id AS id,
    coalesce(nullif(repositories.scope_name, ''), repositories.scope_id) AS name,
    coalesce(nullif(registries.scope_name, ''), repositories.registry_id) AS registry,
    repositories.image_count AS images,
    repositories.untagged_image_count AS untagged_images,
    repositories.stored_size,
    repositories.exclusive_size,
    repositories.untagged_size,
    repositories.newest_image_at,
    repositories.complete
FROM size_totals AS repositories
LEFT JOIN size_totals AS registries
    ON registries.scope = 'registry' AND registries.scope_id = repositories.registry_id
WHERE repositories.scope = 'repository'
ORDER BY repositories.stored_size DESC, repositories.scope_id
LIMIT $most
