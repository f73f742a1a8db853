-- `growth`: the sizes of each scope that both snapshots know, where both are complete. The total is not
-- known where the settings name other OCI registries (`$same_registries`).

CREATE TABLE growth AS
SELECT
    known.scope,
    known.scope_id,
    known.scope_name,
    known.registry_id,
    was.repository_count AS before_repository_count,
    now.repository_count AS after_repository_count,
    whole(now.repository_count::HUGEINT - was.repository_count) AS repository_count_delta,
    was.image_count AS before_image_count,
    now.image_count AS after_image_count,
    whole(now.image_count::HUGEINT - was.image_count) AS image_count_delta,
    was.tagged_image_count AS before_tagged_image_count,
    now.tagged_image_count AS after_tagged_image_count,
    whole(now.tagged_image_count::HUGEINT - was.tagged_image_count) AS tagged_image_count_delta,
    was.untagged_image_count AS before_untagged_image_count,
    now.untagged_image_count AS after_untagged_image_count,
    whole(now.untagged_image_count::HUGEINT - was.untagged_image_count) AS untagged_image_count_delta,
    was.tag_count AS before_tag_count,
    now.tag_count AS after_tag_count,
    whole(now.tag_count::HUGEINT - was.tag_count) AS tag_count_delta,
    was.layer_count AS before_layer_count,
    now.layer_count AS after_layer_count,
    whole(now.layer_count::HUGEINT - was.layer_count) AS layer_count_delta,
    was.blob_count AS before_blob_count,
    now.blob_count AS after_blob_count,
    whole(now.blob_count::HUGEINT - was.blob_count) AS blob_count_delta,
    was.logical_size AS before_logical_size,
    now.logical_size AS after_logical_size,
    whole(now.logical_size::HUGEINT - was.logical_size) AS logical_size_delta,
    was.stored_size AS before_stored_size,
    now.stored_size AS after_stored_size,
    whole(now.stored_size::HUGEINT - was.stored_size) AS stored_size_delta,
    was.exclusive_size AS before_exclusive_size,
    now.exclusive_size AS after_exclusive_size,
    whole(now.exclusive_size::HUGEINT - was.exclusive_size) AS exclusive_size_delta,
    was.untagged_size AS before_untagged_size,
    now.untagged_size AS after_untagged_size,
    whole(now.untagged_size::HUGEINT - was.untagged_size) AS untagged_size_delta,
    was.config_size AS before_config_size,
    now.config_size AS after_config_size,
    whole(now.config_size::HUGEINT - was.config_size) AS config_size_delta
FROM "after".size_totals AS known
SEMI JOIN "before".size_totals AS known_before
    ON known.scope = known_before.scope AND known.scope_id = known_before.scope_id
LEFT JOIN (
    "before".size_totals AS was
    JOIN "after".size_totals AS now
        ON
            was.scope = now.scope
            AND was.scope_id = now.scope_id
            AND was.complete
            AND now.complete
            AND (was.scope <> 'total' OR $same_registries)
)
    ON known.scope = was.scope AND known.scope_id = was.scope_id;
