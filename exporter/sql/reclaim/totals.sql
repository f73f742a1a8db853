-- The totals of the answer, and the bytes stored in the registries that were asked about.

SELECT
    whole((SELECT sum(image_count) FROM reclaim_registries)),
    whole((SELECT sum(freed_size) FROM reclaim_registries)),
    whole((SELECT sum(logical_size) FROM reclaim_registries)),
    whole((
        SELECT sum(stored_size)
        FROM size_totals
        WHERE scope = 'registry' AND registry_id IN (SELECT registry_id FROM asked_registries)
    ))
