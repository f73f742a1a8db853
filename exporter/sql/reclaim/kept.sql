-- An index that stays needs all that it refers to, however deep: that stays too.

DELETE FROM going
WHERE
    image_id IN (
        WITH RECURSIVE kept AS (
            SELECT child_image_id AS image_id
            FROM image_references ANTI JOIN going USING (image_id)
            UNION
            SELECT image_references.child_image_id
            FROM image_references JOIN kept USING (image_id)
        )

        FROM kept
    );
