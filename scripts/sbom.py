"""A software bill of materials: CycloneDX 1.5 in JSON, of what a build of llmpr for one target compiles in.

Usage: sbom.py TARGET [FEATURES]     (FEATURES: as for cargo's --features, instead of the default ones)

The same tree gives the same bytes: no time and no random number is written.
"""

import json
import subprocess
import sys
import uuid


def metadata(target, features):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    if features is not None:
        command += ["--no-default-features", "--features", features]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def checksums():
    """Name and version to the SHA-256 that Cargo.lock has."""
    import tomllib

    with open("Cargo.lock", "rb") as lock:
        packages = tomllib.load(lock)["package"]
    return {(p["name"], p["version"]): p["checksum"] for p in packages if "checksum" in p}


def compiled_in(graph, root):
    """Ids that `root` reaches by dependencies that are neither of tests nor of build scripts."""
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    edges, todo = {}, [root]
    while todo:
        at = todo.pop()
        if at in edges:
            continue
        normal = [d["pkg"] for d in nodes[at]["deps"] if any(k["kind"] is None for k in d["dep_kinds"])]
        edges[at] = sorted(set(normal))
        todo += normal
    return edges


def main(target, features=None):
    graph = metadata(target, features)
    packages = {package["id"]: package for package in graph["packages"]}
    root = next(i for i, p in packages.items() if p["name"] == "llmpr" and p["source"] is None)
    edges, known = compiled_in(graph, root), checksums()
    ref = {i: f"pkg:cargo/{packages[i]['name']}@{packages[i]['version']}" for i in edges}

    def component(i):
        package = packages[i]
        found = {
            "type": "application" if i == root else "library",
            "bom-ref": ref[i],
            "name": package["name"],
            "version": package["version"],
            "purl": ref[i],
            "licenses": [{"expression": package["license"].replace("/", " OR ")}],
        }
        checksum = known.get((package["name"], package["version"]))
        if checksum:
            found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if package["repository"]:
            found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        return found

    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": component(root),
            "properties": [{"name": "target", "value": target}, {"name": "features", "value": features or "default"}],
        },
        "components": [component(i) for i in sorted(edges, key=ref.get) if i != root],
        "dependencies": [
            {"ref": ref[i], "dependsOn": sorted(ref[d] for d in edges[i])} for i in sorted(edges, key=ref.get)
        ],
    }
    name = json.dumps(body, sort_keys=True)
    body["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}"
    print(json.dumps(body, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
