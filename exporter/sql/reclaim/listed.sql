-- `listed`: how the listing of the images of each registry ended, as one status, with the reason.
--
-- An OCI registry has no listing of that name: its images are listed where its repositories are, and
-- the tags and manifests of each. A repository or a tag that vanished is gone, and uses no layer.

CREATE TABLE listed AS
SELECT parent_id AS registry_id, status, message FROM coverage WHERE listing = 'images'
UNION ALL
SELECT
    registry_id,
    coalesce(arg_min(status, place) FILTER (is_missing), 'complete') AS status,
    arg_min(
        CASE WHEN listing = 'repositories' THEN message ELSE concat_ws(': ', parent_id, message) END,
        place
    ) FILTER (is_missing) AS message
FROM (
    SELECT
        *,
        split_part(parent_id, '/', 1) AS registry_id,
        (listing <> 'repositories', parent_id, listing) AS place,
        status <> 'complete' AND (listing = 'repositories' OR status <> 'vanished') AS is_missing
    FROM coverage
    WHERE listing IN ('repositories', 'tags', 'manifests')
)
SEMI JOIN (FROM registries WHERE source = 'oci') AS oci USING (registry_id)
GROUP BY registry_id;
