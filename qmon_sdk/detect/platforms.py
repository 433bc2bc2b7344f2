"""Where programs are run for people: what each platform says of itself in the environment."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypedDict

    class Said(TypedDict, total=False):
        """The variables that say something, between spaces: the first that is set counts.

        A word that begins with `=` is meant literally.
        """

        marker: str
        service: str
        release: str
        environment: str
        resource: dict[str, str]


class Platform:
    """A platform, and what its variables say."""

    __slots__ = ("environment", "name", "release", "resource", "service")

    def __init__(self, name: str, said: Said, environ: Mapping[str, str]) -> None:
        self.name = name
        self.service = _value(said.get("service", ""), environ)
        self.release = _value(said.get("release", ""), environ)
        self.environment = _value(said.get("environment", ""), environ)
        told = {key: _value(names, environ) for key, names in said.get("resource", {}).items()}
        self.resource = {key: value for key, value in told.items() if value}


def platform_of(environ: Mapping[str, str]) -> Platform | None:
    """Find the first platform whose marker is set."""
    for name, said in PLATFORMS.items():
        if environ.get(said["marker"]):
            return Platform(name, said, environ)
    return None


def _value(names: str, environ: Mapping[str, str]) -> str:
    for name in names.split():
        value = name[1:] if name[0] == "=" else environ.get(name, "")
        if value:
            return value
    return ""


_COMMIT, _BRANCH = "vcs.ref.head.revision", "vcs.ref.head.name"
_PROVIDER, _CLOUD = "cloud.provider", "cloud.platform"
_REGION, _INSTANCE = "cloud.region", "service.instance.id"

PLATFORMS: dict[str, Said] = {
    "AWS Lambda": {
        "marker": "AWS_LAMBDA_FUNCTION_NAME",
        "service": "AWS_LAMBDA_FUNCTION_NAME",
        "release": "AWS_LAMBDA_FUNCTION_VERSION",
        "resource": {
            _PROVIDER: "=aws",
            _CLOUD: "=aws_lambda",
            _REGION: "AWS_REGION",
            "faas.name": "AWS_LAMBDA_FUNCTION_NAME",
            "faas.version": "AWS_LAMBDA_FUNCTION_VERSION",
            "faas.instance": "AWS_LAMBDA_LOG_STREAM_NAME",
        },
    },
    "AWS ECS": {
        "marker": "ECS_CONTAINER_METADATA_URI_V4",
        "resource": {_PROVIDER: "=aws", _CLOUD: "=aws_ecs", _REGION: "AWS_REGION"},
    },
    "Google Cloud Run": {
        "marker": "K_SERVICE",
        "service": "K_SERVICE",
        "release": "K_REVISION",
        "resource": {
            _PROVIDER: "=gcp",
            _CLOUD: "=gcp_cloud_run",
            "faas.name": "K_SERVICE",
            "faas.version": "K_REVISION",
        },
    },
    "Google Cloud Run job": {
        "marker": "CLOUD_RUN_JOB",
        "service": "CLOUD_RUN_JOB",
        "resource": {
            _PROVIDER: "=gcp",
            _CLOUD: "=gcp_cloud_run",
            "gcp.cloud_run.job.execution": "CLOUD_RUN_EXECUTION",
            "gcp.cloud_run.job.task_index": "CLOUD_RUN_TASK_INDEX",
        },
    },
    "Google App Engine": {
        "marker": "GAE_SERVICE",
        "service": "GAE_SERVICE",
        "release": "GAE_VERSION",
        "resource": {_PROVIDER: "=gcp", _CLOUD: "=gcp_app_engine", _INSTANCE: "GAE_INSTANCE"},
    },
    "Azure App Service": {
        "marker": "WEBSITE_SITE_NAME",
        "service": "WEBSITE_SITE_NAME",
        "environment": "WEBSITE_SLOT_NAME",
        "resource": {
            _PROVIDER: "=azure",
            _CLOUD: "=azure.app_service",
            _REGION: "REGION_NAME",
            _INSTANCE: "WEBSITE_INSTANCE_ID",
        },
    },
    "Heroku": {
        "marker": "DYNO",
        "service": "HEROKU_APP_NAME",
        "release": "HEROKU_SLUG_COMMIT HEROKU_BUILD_COMMIT HEROKU_RELEASE_VERSION",
        "resource": {
            _PROVIDER: "=heroku",
            "heroku.app.id": "HEROKU_APP_ID",
            "heroku.release.commit": "HEROKU_SLUG_COMMIT HEROKU_BUILD_COMMIT",
            "heroku.release.creation_timestamp": "HEROKU_RELEASE_CREATED_AT",
            _COMMIT: "HEROKU_SLUG_COMMIT HEROKU_BUILD_COMMIT",
            _INSTANCE: "DYNO",
        },
    },
    "Render": {
        "marker": "RENDER",
        "service": "RENDER_SERVICE_NAME",
        "release": "RENDER_GIT_COMMIT",
        "resource": {
            _PROVIDER: "=render",
            _COMMIT: "RENDER_GIT_COMMIT",
            _BRANCH: "RENDER_GIT_BRANCH",
            _INSTANCE: "RENDER_INSTANCE_ID",
        },
    },
    "Fly.io": {
        "marker": "FLY_APP_NAME",
        "service": "FLY_APP_NAME",
        "release": "FLY_MACHINE_VERSION",
        "resource": {
            _PROVIDER: "=fly",
            _REGION: "FLY_REGION",
            _INSTANCE: "FLY_MACHINE_ID FLY_ALLOC_ID",
            "container.image.name": "FLY_IMAGE_REF",
        },
    },
    "Railway": {
        "marker": "RAILWAY_PROJECT_ID",
        "service": "RAILWAY_SERVICE_NAME",
        "release": "RAILWAY_GIT_COMMIT_SHA RAILWAY_DEPLOYMENT_ID",
        "environment": "RAILWAY_ENVIRONMENT_NAME",
        "resource": {
            _PROVIDER: "=railway",
            _COMMIT: "RAILWAY_GIT_COMMIT_SHA",
            _BRANCH: "RAILWAY_GIT_BRANCH",
            _INSTANCE: "RAILWAY_REPLICA_ID",
        },
    },
    "GitHub Actions": {
        "marker": "GITHUB_ACTIONS",
        "release": "GITHUB_SHA",
        "environment": "=ci",
        "resource": {
            _COMMIT: "GITHUB_SHA",
            _BRANCH: "GITHUB_HEAD_REF GITHUB_REF_NAME",
            "cicd.pipeline.name": "GITHUB_WORKFLOW",
            "cicd.pipeline.run.id": "GITHUB_RUN_ID",
        },
    },
    "GitLab CI": {
        "marker": "GITLAB_CI",
        "release": "CI_COMMIT_SHA",
        "environment": "CI_ENVIRONMENT_NAME =ci",
        "resource": {
            _COMMIT: "CI_COMMIT_SHA",
            _BRANCH: "CI_COMMIT_REF_NAME",
            "cicd.pipeline.name": "CI_PIPELINE_NAME",
            "cicd.pipeline.run.id": "CI_PIPELINE_ID",
        },
    },
    # What builders and pipelines leave behind in images, wherever these run.
    "CircleCI": {"marker": "CIRCLE_SHA1", "release": "CIRCLE_SHA1", "environment": "=ci"},
    "AWS CodeBuild": {
        "marker": "CODEBUILD_RESOLVED_SOURCE_VERSION",
        "release": "CODEBUILD_RESOLVED_SOURCE_VERSION",
        "environment": "=ci",
    },
    "GIT_COMMIT": {"marker": "GIT_COMMIT", "release": "GIT_COMMIT"},
    "SOURCE_VERSION": {"marker": "SOURCE_VERSION", "release": "SOURCE_VERSION"},
}
"""Name → its marker, a variable that it sets, and the variables that say the rest."""
