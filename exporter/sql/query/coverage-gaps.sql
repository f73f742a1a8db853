-- What the snapshot lacks: every listing that is not complete, and why.
-- skipped: left out on purpose; vanished: deleted while it was listed; the others are missing.
-- none: Nothing is missing: every listing is complete.
SELECT
    coverage.status,
    listing,
    parent_id,
    coalesce(registries.name, folders.name, clouds.name) AS parent_name,
    coverage.rows,
    http_status,
    error_code,
    message
FROM coverage
LEFT JOIN registries ON listing IN ('images', 'repositories') AND registry_id = parent_id
LEFT JOIN folders ON listing = 'registries' AND folders.folder_id = parent_id
LEFT JOIN clouds ON listing = 'folders' AND clouds.cloud_id = parent_id
WHERE coverage.status <> 'complete'
ORDER BY coverage.status IN ('skipped', 'vanished'), coverage.status, listing, parent_id
