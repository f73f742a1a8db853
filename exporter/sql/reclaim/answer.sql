-- The tables of the answer, as views without an order.

CREATE VIEW reclaim_images AS
SELECT
    image_id,
    repository_name,
    digest,
    tags,
    images.created_at,
    images.compressed_size,
    whole(size) AS alone_size,
    concat_ws(
        '; ',
        array_to_string(list_transform(rules, lambda rule: asked.labels[rule]), ', '),
        nullif(flags, '')
    ) AS rule,
    repository
FROM images
JOIN (SELECT image_id, image, repository, rules FROM going) USING (image_id)
LEFT JOIN (SELECT image, size FROM freed WHERE image IS NOT NULL) USING (image)
CROSS JOIN asked;

CREATE VIEW reclaim_repositories AS
SELECT
    repository_name,
    registry_id,
    image_count,
    whole(alone_size) AS alone_size,
    whole(logical_size) AS logical_size
FROM (
    SELECT repository, count(*) AS image_count, sum(compressed_size) AS logical_size
    FROM going
    GROUP BY repository
)
LEFT JOIN (
    SELECT repository, sum(size) AS alone_size FROM freed WHERE repository IS NOT NULL GROUP BY ALL
) USING (repository)
JOIN repository_scopes USING (repository);

CREATE VIEW reclaim_registries AS
SELECT
    registry_id,
    name AS registry_name,
    image_count,
    whole(freed_size) AS freed_size,
    whole(logical_size) AS logical_size
FROM (
    SELECT registry, count(*) AS image_count, sum(compressed_size) AS logical_size
    FROM going
    GROUP BY registry
)
LEFT JOIN (SELECT registry, sum(size) AS freed_size FROM freed GROUP BY registry) USING (registry)
JOIN registry_scopes USING (registry);
