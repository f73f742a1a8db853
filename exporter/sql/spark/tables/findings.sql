-- Made from ../../tables/findings.sql: change that one, and run scripts/transpile.
WITH conflicts AS (
  SELECT
    digest,
    CASE WHEN COUNT(DISTINCT registry) = 1 THEN MIN(registry_id) END AS registry_id,
    LISTAGG(
      
        CONCAT(
          CAST(CASE WHEN smallest <> size THEN CONCAT(CAST(smallest AS STRING), ' to ') ELSE '' END AS STRING),
          CAST(size AS STRING),
          ' bytes as a ',
          CAST(CASE WHEN is_config THEN 'config' ELSE 'layer' END AS STRING),
          ' in ',
          CAST(COALESCE('registry ' || registry_id, 'no registry that was listed') AS STRING),
          CAST(CASE WHEN smallest <> size THEN ' (the larger counts)' ELSE '' END AS STRING)
        ),
        ', '
      
    ) WITHIN GROUP (ORDER BY
      registry_id NULLS LAST,
      is_config NULLS LAST) AS places
  FROM (
    SELECT
      digest,
      registry,
      is_config,
      MIN(smallest) AS smallest,
      MAX(size) AS size
    FROM uses
    SEMI JOIN (
      SELECT
        *
      FROM common_hashes
      WHERE
        differs
    )
      USING (digest_hash)
    GROUP BY
      digest,
      registry,
      is_config
  )
  LEFT JOIN registry_scopes
    USING (registry)
  GROUP BY
    digest
  HAVING
    MIN(smallest) <> MAX(size)
), layer_sums AS (
  SELECT
    image_id,
    SUM(CAST(bytes AS DECIMAL(38, 0))) AS bytes,
    SUM(CAST(surplus AS DECIMAL(38, 0))) AS surplus
  FROM (
    SELECT
      image_id,
      SUM(CAST(size AS DECIMAL(38, 0))) AS bytes,
      SUM(CAST(size AS DECIMAL(38, 0))) - MAX(size) AS surplus
    FROM layers
    SEMI JOIN doubtful_sizes
      USING (image_id)
    GROUP BY
      image_id,
      digest,
      CASE WHEN digest IS NULL THEN position END
  )
  GROUP BY
    image_id
), mismatches AS (
  SELECT
    *
  FROM (
    SELECT
      registry_id,
      repository_name,
      image_id,
      compressed_size,
      layer_count,
      COALESCE(bytes, 0) - COALESCE(compressed_size, 0) AS difference,
      COALESCE(surplus, 0) AS surplus
    FROM images
    SEMI JOIN doubtful_sizes
      USING (image_id)
    LEFT JOIN layer_sums
      USING (image_id)
  )
  LEFT JOIN (
    SELECT
      image_id,
      size AS config
    FROM config_blobs
    SEMI JOIN doubtful_sizes
      USING (image_id)
  )
    USING (image_id)
  WHERE
    NOT difference IN (0, surplus)
    AND NOT difference + COALESCE(config, 0) IN (0, surplus)
), shared_tag_hashes AS (
  SELECT
    XXHASH64(repository_name, tag) AS tag_hash
  FROM tags
  WHERE
    NOT registry_id IS NULL
  GROUP BY
    tag_hash
  HAVING
    COUNT(*) > 1
), shared_tags AS (
  SELECT
    ANY_VALUE(registry_id) IGNORE NULLS AS registry_id,
    repository_name,
    tag,
    COUNT(*) AS images
  FROM tags
  SEMI JOIN shared_tag_hashes
    ON XXHASH64(repository_name, tag) = tag_hash
  WHERE
    NOT registry_id IS NULL
  GROUP BY
    repository_name,
    tag
  HAVING
    COUNT(*) > 1
), homeless AS (
  SELECT
    repository_name,
    CASE WHEN NULLIF(repository_name, '') IS NULL THEN image_id END AS image_id,
    registry_id
  FROM (
    SELECT
      repository_name,
      image_id,
      registry_id
    FROM images
    UNION ALL
    SELECT
      repository_name,
      NULL,
      registry_id
    FROM repositories
  )
  ANTI JOIN registries
    USING (registry_id)
), negative AS (
  SELECT
    image_id,
    compressed_size AS size,
    'compressed_size' AS what
  FROM images
  WHERE
    compressed_size < 0
  UNION ALL
  SELECT
    image_id,
    size,
    'a layer'
  FROM layers
  WHERE
    size < 0
  UNION ALL
  SELECT
    image_id,
    size,
    'the config'
  FROM config_blobs
  WHERE
    size < 0
), overflows AS (
  SELECT
    *
  FROM (
    SELECT
      scope,
      scope_id,
      logical_size,
      stored_size,
      exclusive_size,
      untagged_size,
      config_size
    FROM sums
  )
  UNPIVOT(bytes FOR 
    measure IN (logical_size, stored_size, exclusive_size, untagged_size, config_size)
  )
), found AS (
  SELECT
    image_id AS subject,
    'images' AS listing
  FROM images
  SEMI JOIN bad_values
    ON images.image_id = subject
  UNION ALL
  SELECT
    repository_name,
    'repositories'
  FROM repositories
  SEMI JOIN bad_values
    ON repositories.repository_name = subject
  UNION ALL
  SELECT
    registry_id,
    'registries'
  FROM registries
  UNION ALL
  SELECT
    folder_id,
    'folders'
  FROM folders
  UNION ALL
  SELECT
    cloud_id,
    'clouds'
  FROM clouds
  UNION ALL
  SELECT
    subject,
    listing
  FROM bad_values
  WHERE
    listing = 'lost'
), missing_children AS (
  SELECT
    child_image_id AS subject,
    ANY_VALUE(registry_id) IGNORE NULLS AS registry_id,
    ANY_VALUE(repository_name) IGNORE NULLS AS repository_name,
    MIN(image_id) AS image_id,
    COUNT(DISTINCT image_id) AS indexes
  FROM image_references
  WHERE
    NOT present
  GROUP BY
    child_image_id
), subjects AS (
  SELECT
    CONCAT(COALESCE(repository_name, ''), '@', COALESCE(subject_digest, '')) AS subject,
    ANY_VALUE(registry_id) IGNORE NULLS AS registry_id,
    ANY_VALUE(repository_name) IGNORE NULLS AS repository_name,
    MIN(image_id) AS image_id,
    COUNT(*) AS referrers
  FROM images
  WHERE
    NOT subject_digest IS NULL
  GROUP BY
    repository_name,
    subject_digest
), dangling_subjects AS (
  SELECT
    subjects.*
  FROM subjects
  ANTI JOIN (
    SELECT
      subject
    FROM images
    JOIN subjects
      ON images.image_id = subject
  ) AS there
    USING (subject)
  JOIN coverage
    ON listing = 'manifests' AND parent_id = repository_name
  WHERE
    status IN ('complete', 'vanished')
), of_rows AS (
  SELECT
    'missing_child' AS kind,
    registry_id,
    repository_name,
    image_id,
    subject,
    CONCAT(
      'The registry does not have it, though ',
      CAST(CASE
        WHEN indexes = 1
        THEN 'an index refers to it'
        ELSE CONCAT(CAST(indexes AS STRING), ' indexes refer to it')
      END AS STRING),
      '.'
    ) AS detail
  FROM missing_children
  UNION ALL
  SELECT
    'dangling_subject',
    registry_id,
    repository_name,
    image_id,
    subject,
    CONCAT(
      CAST(CASE
        WHEN referrers = 1
        THEN 'An image refers'
        ELSE CONCAT(CAST(referrers AS STRING), ' images refer')
      END AS STRING),
      ' to it as the subject, and ',
      CAST(CASE
        WHEN untagged_visible
        THEN 'the registry does not have it'
        ELSE 'no tag leads to it, so that nothing tells whether the registry has it'
      END AS STRING),
      '.'
    )
  FROM dangling_subjects
  LEFT JOIN registries
    USING (registry_id)
  UNION ALL
  SELECT
    'empty_repository',
    registry_id,
    repository_name,
    NULL,
    repository_name,
    'There is no image in this repository, and all its tags were listed.'
  FROM repositories
  JOIN registries
    USING (registry_id)
  JOIN coverage
    ON listing = 'tags' AND parent_id = repository_name
  ANTI JOIN (
    SELECT
      parent_id AS repository_name
    FROM coverage
    WHERE
      listing = 'manifests' AND NOT status IN ('complete', 'vanished')
  ) AS unread
    USING (repository_name)
  LEFT JOIN sums
    ON scope = 'repository' AND scope_id = repository_name
  WHERE
    source = 'oci' AND coverage.status = 'complete' AND COALESCE(image_count, 0) = 0
  UNION ALL
  SELECT
    'schema1_manifest',
    registry_id,
    repository_name,
    image_id,
    image_id,
    'The manifest is of schema 1, which clients and registries no longer take.'
  FROM images
  WHERE
    kind = 'schema1'
  UNION ALL
  SELECT
    'implausible_time',
    registry_id,
    repository_name,
    image_id,
    image_id,
    CONCAT(
      'The image says that it was created at ',
      CAST(CAST(created_at AS TIMESTAMP_NTZ) AS STRING),
      ' UTC.'
    )
  FROM images
  WHERE
    NOT kind IS NULL
    AND (
      created_at < CAST('1970-01-01 00:00:00+00' AS TIMESTAMP)
      OR created_at > (
        SELECT
          MAX(finished_at) + INTERVAL '1' DAY
        FROM coverage
      )
    )
), seen AS (
  SELECT
    kind,
    MIN(registry_id) AS registry_id,
    MIN(repository_name) AS repository_name,
    MIN(image_id) AS image_id,
    subject,
    LISTAGG(DISTINCT detail, ' ') WITHIN GROUP (ORDER BY
      detail NULLS LAST) AS detail
  FROM (
    SELECT
      kind,
      registry_id,
      repository_name,
      image_id,
      subject,
      detail
    FROM (
      SELECT
        *
      FROM of_rows
    ) AS branch
    UNION ALL
    SELECT
      kind,
      registry_id,
      repository_name,
      image_id,
      subject,
      detail
    FROM (
      SELECT
        kind,
        registry_id,
        repository_name,
        image_id,
        subject,
        detail
      FROM bad_values
      WHERE
        NOT kind IS NULL
    ) AS branch
  )
  GROUP BY
    kind,
    subject
), fully_named AS (
  SELECT
    parent_id AS registry_id
  FROM coverage
  WHERE
    listing = 'repositories' AND status = 'complete'
)
SELECT
  'size_conflict' AS kind,
  registry_id,
  NULL AS repository_name,
  NULL AS image_id,
  digest AS subject,
  CONCAT('One digest has two sizes: ', CAST(places AS STRING), '.') AS detail
FROM conflicts
UNION ALL
SELECT
  'size_mismatch',
  registry_id,
  repository_name,
  image_id,
  image_id,
  CONCAT(
    'compressed_size is ',
    CAST(compressed_size AS STRING),
    ' bytes, and the ',
    CAST(layer_count AS STRING),
    ' layers have ',
    CAST(compressed_size + difference AS STRING),
    CAST(CASE
      WHEN surplus <> 0
      THEN CONCAT(
        ' (or ',
        CAST(compressed_size + difference - surplus AS STRING),
        ', each counted once)'
      )
      ELSE ''
    END AS STRING),
    CAST(CASE
      WHEN config <> 0
      THEN CONCAT(', and the config ', CAST(config AS STRING))
      ELSE ''
    END AS STRING),
    '.'
  )
FROM mismatches
UNION ALL
SELECT
  'tag_on_two_images',
  registry_id,
  repository_name,
  NULL,
  CONCAT(COALESCE(repository_name, ''), ':', COALESCE(tag, '')),
  CONCAT('The tag is on ', CAST(images AS STRING), ' images: it moved while the listing ran.')
FROM shared_tags
UNION ALL
SELECT
  'image_changed',
  registry_id,
  repository_name,
  image_id,
  image_id,
  detail
FROM changed
UNION ALL
SELECT
  'unlisted_repository',
  registry_id,
  repository_name,
  NULL,
  repository_name,
  CONCAT(
    'Images are in this repository, and the complete list of the registry\'s repositories does not ',
    'name it.'
  )
FROM repository_scopes
JOIN fully_named
  USING (registry_id)
WHERE
  NOT listed
UNION ALL
SELECT
  'unknown_registry',
  NULL,
  ANY_VALUE(repository_name) IGNORE NULLS,
  image_id,
  COALESCE(image_id, ANY_VALUE(repository_name) IGNORE NULLS),
  CASE
    WHEN ANY_VALUE(registry_id) IGNORE NULLS IS NULL
    THEN 'The name does not tell a registry.'
    ELSE CONCAT(
      'The name tells registry ',
      CAST(ANY_VALUE(registry_id) IGNORE NULLS AS STRING),
      ', which was not listed.'
    )
  END || ' What is there counts in the total alone.'
FROM homeless
GROUP BY
  repository_name,
  image_id
UNION ALL
SELECT
  'negative_size',
  registry_id,
  repository_name,
  image_id,
  image_id,
  CONCAT('Negative sizes count as they are: ', CAST(sizes AS STRING), '.')
FROM images
JOIN (
  SELECT
    image_id,
    LISTAGG(DISTINCT bytes, ', ') WITHIN GROUP (ORDER BY
      bytes NULLS LAST) AS sizes
  FROM (
    SELECT
      image_id,
      CONCAT(CAST(what AS STRING), ' of ', CAST(size AS STRING), ' bytes') AS bytes
    FROM negative
  )
  GROUP BY
    image_id
)
  USING (image_id)
UNION ALL
SELECT
  'size_overflow',
  registry_id,
  CASE WHEN scope = 'repository' THEN scope_id END,
  NULL,
  CONCAT(COALESCE(scope, ''), ' ', COALESCE(scope_id, '')),
  CONCAT(
    'The table has the nearest that fits, for these are past 64 bits: ',
    CAST(LISTAGG(CONCAT(CAST(measure AS STRING), ' of ', CAST(bytes AS STRING), ' bytes'), ', ') WITHIN GROUP (ORDER BY
      measure NULLS LAST) AS STRING),
    '.'
  )
FROM overflows
JOIN scopes
  USING (scope, scope_id)
WHERE
  bytes <> CAST(GREATEST(
    LEAST(CAST(COALESCE(bytes, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT)
GROUP BY
  scope,
  scope_id,
  registry_id
UNION ALL
SELECT
  'bad_value' AS kind,
  MIN(registry_id),
  MIN(repository_name),
  MIN(image_id),
  subject,
  LISTAGG(DISTINCT detail, ' ') WITHIN GROUP (ORDER BY
    detail NULLS LAST)
FROM bad_values
SEMI JOIN found
  USING (listing, subject)
WHERE
  kind IS NULL
GROUP BY
  subject
UNION ALL
SELECT
  kind,
  registry_id,
  repository_name,
  image_id,
  subject,
  detail
FROM seen
ORDER BY
  kind NULLS LAST,
  subject NULLS LAST
