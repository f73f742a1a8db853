"""The Container Registry of Nebius and Yandex Cloud, over its list API.

`discovery` finds clouds, folders and registries; `registries` lists what is in them, by `split`
where a registry is large; `decode` turns pages into rows. `README.md` has the API's facts.
"""
