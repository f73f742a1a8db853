-- What --keep-last spares of `going`: the newest images of each repository.

DELETE FROM going
WHERE
    image IN (
        SELECT image
        FROM going
        QUALIFY
            row_number() OVER (
                PARTITION BY repository ORDER BY created_at DESC NULLS LAST, image_id DESC
            ) <= $keep_last
    );
