"""Which objects name images, and which sources are refused because they may not name all."""

import json
import shutil
import subprocess

import pytest

from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.references import InUse, InUseError, InUseTally, collect_in_use
from aioregistry.cleanup.in_use.summary import InUseSummary
from aioregistry.cleanup.manifests.listed import ListedManifest

DIGEST = "sha256:" + "a" * 64
HOST = "registry.digitalocean.com"
WEB = f"{HOST}/example/web:1"


def kind(name: str, **parts: object) -> dict:
    return {"apiVersion": "v1", "kind": name, "metadata": {"name": "x"}, **parts}


def found(*objects: object, **options) -> set[str]:
    text = json.dumps({"kind": "List", "items": list(objects)})
    return {str(use.reference) for use in read_in_use(text, "x.json", **options)}


def refusal(document: object, **options) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InUseError) as caught:
        read_in_use(text, "x.json", **options)
    return caught.value.message


POD = kind("Pod", spec={"containers": [{"name": "c", "image": WEB}]})


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("", "no image at all, as after a command that failed"),
        ("\n \n", "no image at all"),
        ("# nothing\n", "no image at all"),
        ({"kind": "List", "items": []}, "a list without objects, as kubectl prints it when it is"),
        ([], "a list without objects"),
        ({"kind": "List", "items": [{"kind": "PodList", "items": []}]}, "a list without objects"),
        ({"kind": "Status", "message": "pods is forbidden"}, "an error of Kubernetes: pods is"),
        ([POD, {"kind": "Status", "message": "no"}], "items[1]: no object of Kubernetes"),
        ({"kind": "Table", "rows": []}, "a Table has no images in it"),
        ({"kind": "PartialObjectMetadataList", "items": [POD]}, "has no images in it"),
        ({"kind": "PodList", "metadata": {"continue": "x"}, "items": [POD]}, "only the first part"),
        (
            {"kind": "PodList", "metadata": {"remainingItemCount": 1}, "items": [POD]},
            "only the first part of a list: more objects follow it",
        ),
        ({"apps": [{"spec": {"services": []}}], "meta": {"total": 2}}, "1 of 2 apps; give all"),
        ([kind("Service", spec={})], "no image at all"),
        (json.dumps(POD) + json.dumps({"kind": "List", "items": []}), "a list without objects"),
    ],
)
def test_a_source_that_may_not_name_all_is_refused(document, problem):
    if document == [POD, {"kind": "Status", "message": "no"}]:
        problem = "an error of Kubernetes: no"
    assert problem in refusal(document)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a" * 64, "is the ID of an image and names no repository"),
        ("3f57d9401f8d", "is the ID of an image and names no repository"),
        ("apiVersion: v1", "this is YAML; give JSON"),
        ("null", "null, as after a command that found nothing"),
        ("pod/web-1", "is the name of an object; give the output of"),
        ("StatefulSet/web", "is the name of an object; give the output of"),
        ("deployment.apps/web", "is the name of an object; give the output of"),
        ("kind: Pod", "this is YAML; give JSON"),
    ],
)
def test_a_line_that_is_something_else_is_refused_with_what_it_is(line, problem):
    assert problem in refusal(f"{line}\n")


def test_objects_without_an_image_are_named_with_how_to_pass_over_them():
    objects = [POD, kind("Widget"), kind("Widget"), kind("Gadget")]
    assert refusal(objects) == (
        "x.json: no image found in Widget (widget x and 1 more), Gadget (gadget x); if these run"
        " none, give --in-use-ignore Widget --in-use-ignore Gadget"
    )
    assert found(*objects, ignore_kinds=["Widget", "Gadget"]) == {WEB}


def test_a_kind_that_is_ignored_is_read_all_the_same():
    widget = kind("Widget", spec={"image": f"{HOST}/example/widget:1"})
    assert f"{HOST}/example/widget:1" in found(POD, widget, ignore_kinds=["Widget"])


def test_services_and_the_like_need_no_image():
    assert found(POD, kind("Service", spec={}), kind("ConfigMap", data={"image": "a b"})) == {WEB}


@pytest.mark.parametrize("maker", ["Deployment", "StatefulSet", "CronJob", "Pod"])
def test_each_container_of_a_pod_needs_an_image(maker):
    containers = [{"name": "a", "image": WEB}, {"name": "b"}]
    made = kind(maker, spec={"template": {"spec": {"containers": containers}}})
    assert f"no image found in {maker}" in refusal([made])


def test_an_operator_may_change_containers_without_naming_their_images():
    prometheus = kind("Prometheus", spec={"image": WEB, "containers": [{"name": "prometheus"}]})
    assert found(prometheus) == {WEB}


@pytest.mark.parametrize(
    ("thing", "image"),
    [
        (kind("Pod", spec={"initContainers": [{"image": WEB}]}), WEB),
        (kind("Pod", spec={"ephemeralContainers": [{"image": WEB}]}), WEB),
        (kind("Pod", spec={"volumes": [{"image": {"reference": WEB}}]}), WEB),
        (
            kind(
                "Pod",
                status={
                    "initContainerStatuses": [
                        {
                            "imageID": WEB,
                            "volumeMounts": [
                                {"volumeStatus": {"image": {"imageRef": f"example/m@{DIGEST}"}}}
                            ],
                        }
                    ]
                },
            ),
            f"example/m@{DIGEST}",
        ),
        (kind("Pod", status={"containerStatuses": [{"imageID": "a" * 64}]}), DIGEST),
        (kind("WorkflowTemplate", spec={"templates": [{"script": {"image": WEB}}]}), WEB),
        (kind("Pipeline", spec={"tasks": [{"taskSpec": {"steps": [{"image": WEB}]}}]}), WEB),
        (kind("Rollout", spec={"template": {"spec": {"containers": [{"image": WEB}]}}}), WEB),
        (kind("ControllerRevision", data={"spec": {"containers": [{"image": WEB}]}}), WEB),
        (kind("Cluster", spec={"imageName": WEB}), WEB),
        (kind("postgresql", spec={"dockerImage": WEB}), WEB),
        (
            kind("HelmRelease", spec={"values": {"image": {"repository": "r/web", "tag": 2}}}),
            "r/web:2",
        ),
        (
            kind(
                "HelmRelease",
                spec={"values": {"i": {"registry": HOST, "repository": "r/w", "tag": "3"}}},
            ),
            f"{HOST}/r/w:3",
        ),
        (kind("Alertmanager", spec={"image": "r/am", "tag": "v2"}), "r/am:v2"),
        (
            kind(
                "Kustomization", spec={"images": [{"name": "web", "newName": "r/w", "newTag": "4"}]}
            ),
            "r/w:4",
        ),
        (kind("ImagePolicy", status={"latestRef": {"name": "r/web", "tag": "5"}}), "r/web:5"),
        (kind("Widget", spec={"args": [f"--reloader={WEB}"]}), WEB),
        (
            kind("Widget", spec={"env": [{"name": "I", "value": f"{WEB}@{DIGEST}"}]}),
            f"{WEB}@{DIGEST}",
        ),
        (kind("ConfigMap", data={"a.yaml": f"image: {WEB}\n"}), WEB),
    ],
)
def test_an_image_is_found_wherever_it_is_named(thing, image):
    assert image in found(thing)


def test_a_node_may_have_images_without_a_name():
    images = [{"names": ["<none>@<none>", "<none>:<none>"]}, {"names": [WEB]}]
    assert found(kind("Node", status={"images": images})) == {WEB}


def test_a_word_in_a_field_that_may_be_anything_is_no_image():
    widget = kind("Widget", spec={"names": ["a"], "images": ["b"], "defaultImage": "c"})
    assert "no image found in Widget" in refusal([POD, widget])


def test_many_kinds_without_an_image_are_named_in_short():
    objects = [POD, *(kind(f"Kind{number}") for number in range(7))]
    assert "Kind4 (kind4 x) and 2 kinds more; if these run none" in refusal(objects)


def test_annotations_called_for_images_name_those_of_the_vendors_registry():
    applied = json.dumps({"spec": {"containers": [{"image": f"{HOST}/example/web:before"}]}})
    annotations = {
        "kuik.enix.io/original-images": json.dumps({"c": f"{HOST}/example/web:pinned"}),
        "original-image-init": f"{HOST}/example/init@{DIGEST}",
        # What was applied last may be of long ago.
        "kubectl.kubernetes.io/last-applied-configuration": applied,
        "image": ["x"],
    }
    rewritten = {**POD, "metadata": {"name": "x", "annotations": annotations}}
    assert found(rewritten) == {
        WEB,
        f"{HOST}/example/web:pinned",
        f"{HOST}/example/init@{DIGEST}",
    }
    for other in (None, [], {"annotations": None}, {"annotations": ["image"]}):
        assert found({**POD, "metadata": other}) == {WEB}


def test_metadata_is_no_image():
    labelled = {**POD, "metadata": {"name": "x", "annotations": {"image": "a b", "n": "r/x:1"}}}
    assert found(labelled) == {WEB}


def test_items_of_a_typed_list_have_its_kind():
    raw = {"kind": "PodList", "items": [{"metadata": {"name": "p"}, "spec": POD["spec"]}]}
    assert read_in_use(json.dumps(raw), "x.json")[0].where == "pod p"


def test_several_documents_may_follow_each_other():
    other = kind("Pod", spec={"containers": [{"image": "example/api:1"}]})
    text = json.dumps(POD) + "\n" + json.dumps({"kind": "List", "items": [other]})
    assert len(read_in_use(text, "x.json")) == 2


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        (
            {"registry_type": "DOCR", "registry": "example", "repository": "web"},
            f"{HOST}/example/web:latest",
        ),
        ({"registry_type": "DOCR", "repository": "web", "tag": "2"}, "web:2"),
        ({"registry_type": "DOCR", "repository": "web", "digest": DIGEST}, f"web@{DIGEST}"),
        (
            {
                "registry_type": "DOCKER_HUB",
                "registry": "library",
                "repository": "redis",
                "tag": "7",
            },
            "docker.io/library/redis:7",
        ),
    ],
)
def test_apps_of_the_app_platform_are_read(image, reference):
    app = {"id": "1", "spec": {"name": "shop", "workers": [{"name": "w", "image": image}]}}
    (use,) = read_in_use(json.dumps({"apps": [app], "meta": {"total": 1}}), "x.json")
    assert (str(use.reference), use.where) == (reference, "app shop")
    assert str(read_in_use(json.dumps(app["spec"]), "x.json")[0].reference) == reference


def test_what_an_app_runs_now_is_read():
    active = {"services": [{"name": "w", "source_image_digest": DIGEST}]}
    app = {"spec": {"name": "shop", "services": []}, "active_deployment": active}
    assert {str(use.reference) for use in read_in_use(json.dumps([app]), "x.json")} == {DIGEST}


TYPO = {
    "spec": {"containers": [{"name": "c", "image": "Nginx:latest"}]},
    "status": {
        "containerStatuses": [
            {"image": "Nginx:latest", "state": {"waiting": {"reason": "InvalidImageName"}}}
        ]
    },
}


def test_a_pod_that_never_could_run_is_named_and_passed_over():
    notes: list[str] = []
    assert found(POD, kind("Pod", **TYPO), notes=notes) == {WEB}
    assert notes == ["pod x: passed over 'Nginx:latest': an invalid name, so it never ran"]


def test_so_is_what_made_that_pod():
    deployment = kind("Deployment", spec={"template": {"spec": TYPO["spec"]}})
    assert found(POD, deployment, kind("Pod", **TYPO)) == {WEB}


def test_without_that_evidence_an_invalid_name_is_refused():
    assert "pod x: not a reference" in refusal([POD, kind("Pod", spec=TYPO["spec"])])


def test_a_source_of_invalid_names_alone_is_refused():
    assert "no image at all" in refusal([kind("Pod", **TYPO)])


KUBECTL = shutil.which("kubectl")


@pytest.mark.skipif(KUBECTL is None, reason="needs kubectl: snap install kubectl")
@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "deployment", "web", f"--image={WEB}"],
        ["create", "job", "web", f"--image={WEB}"],
        ["create", "cronjob", "web", f"--image={WEB}", "--schedule=* * * * *"],
    ],
)
def test_what_kubectl_makes_is_read(arguments):
    command = [KUBECTL, *arguments, "--dry-run=client", "-o", "json"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert {str(use.reference) for use in read_in_use(made, "x.json")} == {WEB}


@pytest.mark.skipif(KUBECTL is None, reason="needs kubectl: snap install kubectl")
def test_what_a_kubectl_that_reaches_no_cluster_prints_is_refused():
    command = [KUBECTL, "--server=http://127.0.0.1:1", "get", "pods", "-A", "-o", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode != 0
    assert refusal(ran.stdout)


def tally(uses: list[str]) -> InUseSummary | None:
    counted = InUseTally(InUse(uses), "example")
    counted.add("web", [ListedManifest(DIGEST, ("1",))])
    counted.add("api", [])
    counted.skip("broken")
    return counted.summary()


def test_what_was_read_and_found_is_counted():
    summary = tally(
        [
            WEB,
            WEB,
            f"{HOST}/example/web:2",
            f"{HOST}/example/gone:1",
            "web",
            f"web:9@{DIGEST}",
            "busybox:1",
            DIGEST,
            "sha256:" + "b" * 64,
            "example/broken:1",
        ]
    )
    assert summary == InUseSummary(
        read=9,
        references=(
            "example/broken:1",
            f"{HOST}/example/gone:1",
            WEB,
            f"{HOST}/example/web:2",
            DIGEST,
            "web",
            f"web:9@{DIGEST}",
        ),
        not_found=(f"{HOST}/example/gone:1", f"{HOST}/example/web:2", "web"),
    )
    assert str(summary) == (
        "in use: 9 references read, 7 of this registry, 4 found, 3 not found:"
        f" {HOST}/example/gone:1, {HOST}/example/web:2, web"
    )


def test_what_was_not_given_is_not_counted():
    assert InUseTally(InUse.not_given(), "example").summary() is None
    assert str(InUseTally(InUse(), "example").summary()) == "in use: nothing, as stated"


async def test_an_empty_source_in_python_is_refused():
    async def nothing():
        for _ in ():
            yield "x"

    for source in ([], nothing()):
        with pytest.raises(InUseError, match="no reference at all"):
            await collect_in_use(source)


async def test_what_a_plan_recorded_takes_the_place_of_nothing_with_a_warning(caplog):
    recorded = InUseSummary(read=1, references=("example/web:v1",))
    in_use = await collect_in_use(None, recorded)
    assert set(in_use.tags_of("example", "web")) == {"v1"}
    assert "nothing newer is given" in caplog.text
    assert not (await collect_in_use(InUse(), recorded)).tags_of("example", "web")


REPOSITORY = f"{HOST}/example/app"


@pytest.mark.parametrize(
    ("spec", "image"),
    [
        ({"image": REPOSITORY, "version": 15}, f"{REPOSITORY}:15"),
        ({"image": REPOSITORY, "tag": "", "version": "v9"}, f"{REPOSITORY}:v9"),
        ({"image": REPOSITORY, "digest": DIGEST}, f"{REPOSITORY}@{DIGEST}"),
        ({"image": REPOSITORY, "imageDigest": DIGEST}, f"{REPOSITORY}@{DIGEST}"),
        ({"baseImage": REPOSITORY, "version": "v2"}, f"{REPOSITORY}:v2"),
        ({"repository": REPOSITORY, "imageTag": "v2"}, f"{REPOSITORY}:v2"),
        ({"imageRepository": REPOSITORY, "imageTag": "v2"}, f"{REPOSITORY}:v2"),
        (
            {"image": {"registry": f"{HOST}/example", "name": "app", "tag": "v2"}},
            f"{REPOSITORY}:v2",
        ),
        ({"image": {"name": "app", "tag": "v2"}}, "app:v2"),
        ({"env": [{"name": "RELATED_IMAGE_APP", "value": "example/app:v2"}]}, "example/app:v2"),
        ({"imageName": "example/app:v2"}, "example/app:v2"),
        ({"source_image_digest": "example/app:v2"}, "example/app:v2"),
    ],
)
def test_an_image_in_parts_is_found(spec, image):
    assert image in found(POD, kind("Operated", spec=spec))


@pytest.mark.parametrize(
    "text",
    [
        "Registry.DigitalOcean.com/example/app:v1",
        f"{HOST}:443/example/app:v1",
        f"{HOST}/example/app@sha512:{'b' * 128}",
        f"the image {HOST}/example/app:v1.",
    ],
)
def test_a_text_with_an_image_is_read(text):
    references = [
        use.reference
        for use in read_in_use(json.dumps([POD, kind("ConfigMap", data={"text": text})]), "x.json")
    ]
    assert [one.tag or one.digest for one in references if one.path == "example/app"][-1] in {
        "v1",
        f"sha512:{'b' * 128}",
    }


def test_a_repository_alone_in_a_variable_is_no_image():
    spec = {"parameters": [{"name": "image.repository", "value": REPOSITORY}]}
    assert "no image found in Application" in refusal(kind("Application", spec=spec))


@pytest.mark.parametrize("word", ["null", "none", "undefined", "false"])
def test_a_word_for_nothing_is_no_image(word):
    assert f"{word}, as after a command that found nothing" in refusal(f"{WEB}\n{word}\n")


@pytest.mark.parametrize(
    "name",
    ["rollout.argoproj.io/web", "service.serving.knative.dev/web", "replicationcontroller/web"],
)
def test_the_name_of_an_object_is_no_image(name):
    assert "is the name of an object" in refusal(name)


def test_one_page_of_apps_is_refused():
    app = {"spec": {"services": [{"image": {"registry_type": "DOCR", "repository": "web"}}]}}
    page = {"apps": [app], "links": {"pages": {"next": "https://example.com/?page=2"}}}
    assert "only one page of apps" in refusal(page)
