-- The registries that cannot be compared.
SELECT registry_id, name, detail
FROM verdicts
WHERE detail <> ''
ORDER BY registry_id
LIMIT $most
