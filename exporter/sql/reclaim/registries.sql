-- `asked_registries`: the registries that were asked about and whose images are all listed. Numbers
-- as in `scopes`.

CREATE TABLE asked_registries AS
SELECT registry, registry_id
FROM registry_scopes
SEMI JOIN (FROM listed WHERE status = 'complete') AS whole USING (registry_id)
WHERE len($registries::VARCHAR[]) = 0 OR list_contains($registries::VARCHAR[], registry_id);
