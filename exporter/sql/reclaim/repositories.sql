-- `asked_repositories`: the repositories in those registries that were asked about.

CREATE TABLE asked_repositories AS
SELECT repository, repository_name, registry
FROM repository_scopes
SEMI JOIN asked_registries USING (registry)
WHERE
    $repositories::VARCHAR IS NULL
    OR regexp_full_match(repository_name, $repositories::VARCHAR)
    -- The path: what follows the first slash.
    OR regexp_full_match(
        substr(repository_name, length(split_part(repository_name, '/', 1)) + 2),
        $repositories::VARCHAR
    );
