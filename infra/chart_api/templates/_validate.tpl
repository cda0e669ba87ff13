{{/* Values that fit their types and cannot work together: each is refused with a sentence */}}
{{- define "name-classifier.validate" -}}
{{- $problems := "" }}
{{- range list "unsafe" "resourceProblems" "rolloutProblems" "scalingProblems" "requestLogProblems" "migrationsProblems" "trainingProblems" "collisions" }}
{{- $problems = printf "%s\n%s" $problems (include (printf "name-classifier.%s" .) $) | trim }}
{{- end }}
{{- if $problems }}
{{- fail (printf "\n%s\n" (regexReplaceAll "\n\\s*" $problems "\n")) }}
{{- end }}
{{- end }}

{{/* What production refuses at its start, said before the install */}}
{{- define "name-classifier.unsafe" -}}
{{- if .Values.production }}
{{- $extra := list }}
{{- range .Values.extraEnv }}
{{- $extra = append $extra .name }}
{{- end }}
{{- if not (or .Values.apiKeys.secretName .Values.extraEnvFrom (has "NAME_CLASSIFIER_API_KEYS" $extra)) }}
production needs API keys: set apiKeys.secretName to a Secret whose entry keys.json lists them.
{{- end }}
{{- if eq .Values.logLevel "debug" }}
production does not log at debug: set logLevel to info.
{{- end }}
{{- if has "*" .Values.corsOrigins }}
production names each origin: corsOrigins may not hold "*".
{{- end }}
{{- if and (eq .Values.requestLog.names "raw") (include "name-classifier.recordsRequests" .) }}
production records no name as it is: set requestLog.names to hashed or absent.
{{- end }}
{{- range .Values.trustedProxies }}
{{- if or (eq . "*") (hasSuffix "/0" .) }}
production names its proxies: trustedProxies may not hold {{ . }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "name-classifier.resourceProblems" -}}
{{- include "name-classifier.unfitResources" (dict "path" "resources" "resources" .Values.resources) }}
{{- with .Values.trainingJob }}
{{- if .enabled }}
{{- include "name-classifier.unfitResources" (dict "path" "trainingJob.resources" "resources" .resources) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What is wrong with the requests and limits of a container, which stand at a path of the values */}}
{{- define "name-classifier.unfitResources" -}}
{{- $path := .path }}
{{- $requests := include "name-classifier.compact" .resources.requests | fromYaml }}
{{- range $name, $limit := include "name-classifier.compact" .resources.limits | fromYaml }}
{{- $most := include "name-classifier.thousandths" $limit | int64 }}
{{- if eq $most 0 }}
{{ $path }}.limits.{{ $name }} is 0, with which nothing runs: set it to null for no limit.
{{- else if hasKey $requests $name }}
{{- $request := index $requests $name }}
{{- if gt (include "name-classifier.thousandths" $request | int64) $most }}
{{ $path }}.requests.{{ $name }} ({{ $request }}) is above {{ $path }}.limits.{{ $name }} ({{ $limit }}): raise the limit or lower the request.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "name-classifier.rolloutProblems" -}}
{{- with .Values.strategy }}
{{- if and (eq .type "RollingUpdate") (has (toString .maxUnavailable) (list "0" "0%")) (has (toString .maxSurge) (list "0" "0%")) }}
strategy.maxUnavailable and strategy.maxSurge are both 0, so no rollout could begin: raise one of them.
{{- end }}
{{- end }}
{{- $needed := addf .Values.drainSeconds .Values.shutdownGraceSeconds }}
{{- with .Values.terminationGracePeriodSeconds }}
{{- if le (float64 .) $needed }}
terminationGracePeriodSeconds ({{ . }}) leaves requests in flight no time: it must be above drainSeconds + shutdownGraceSeconds ({{ $needed }}).
{{- end }}
{{- end }}
{{- end }}

{{- define "name-classifier.scalingProblems" -}}
{{- with .Values.autoscaling }}
{{- if .enabled }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}
autoscaling.minReplicas ({{ .minReplicas }}) is above autoscaling.maxReplicas ({{ .maxReplicas }}).
{{- end }}
{{- if not (or .targetCPUUtilizationPercentage .targetRequestsInProgress) }}
autoscaling needs a target: set targetCPUUtilizationPercentage or targetRequestsInProgress.
{{- end }}
{{- if and .targetCPUUtilizationPercentage (empty $.Values.resources.requests.cpu) }}
autoscaling.targetCPUUtilizationPercentage is a share of resources.requests.cpu, which is not set.
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.persistence }}
{{- $alone := and (eq $.Values.strategy.type "Recreate") (eq (include "name-classifier.mostReplicas" $) "1") }}
{{- if and .enabled (not $alone) (not (or (has "ReadWriteMany" .accessModes) (has "ReadOnlyMany" .accessModes))) }}
persistence.accessModes ({{ join ", " .accessModes }}) lets one node mount the volume, so neither several replicas nor a rolling update work: use ReadWriteMany or ReadOnlyMany, or replicas 1 and strategy.type Recreate.
{{- end }}
{{- end }}
{{- range $part := list "serviceMonitor" "prometheusRule" "dashboard" }}
{{- if and (index $.Values $part).enabled (not $.Values.metricsEnabled) }}
{{ $part }} needs /metrics: set metricsEnabled to true.
{{- end }}
{{- end }}
{{- end }}

{{- define "name-classifier.requestLogProblems" -}}
{{- if include "name-classifier.recordsRequests" . }}
{{- with .Values.requestLog }}
{{- if and (eq .names "hashed") (not .hashKeysSecretName) }}
requestLog.names is hashed, which needs a key: set requestLog.hashKeysSecretName, or requestLog.names to absent.
{{- end }}
{{- if and .volume.existingClaim .volume.claimTemplate }}
requestLog.volume: set existingClaim or claimTemplate, not both.
{{- end }}
{{- $alone := and (eq $.Values.strategy.type "Recreate") (eq (include "name-classifier.mostReplicas" $) "1") }}
{{- if and .volume.existingClaim (not $alone) }}
requestLog.volume.existingClaim holds the outbox of one pod: use claimTemplate, or replicas 1 and strategy.type Recreate.
{{- end }}
{{- $room := include "name-classifier.thousandths" .volume.sizeLimit | int64 }}
{{- $needed := include "name-classifier.thousandths" .maxSize | int64 | mul 3 | int64 }}
{{- if and (not .volume.existingClaim) (not .volume.claimTemplate) (lt (mul $room 2) $needed) }}
requestLog.volume.sizeLimit ({{ .volume.sizeLimit }}) leaves an outbox of requestLog.maxSize ({{ .maxSize }}) too little room: a pod that fills its volume is evicted; use twice as much.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "name-classifier.migrationsProblems" -}}
{{- if .Values.migrations.enabled }}
{{- $extra := list }}
{{- range .Values.extraEnv }}
{{- $extra = append $extra .name }}
{{- end }}
{{- if not (include "name-classifier.recordsRequests" .) }}
migrations has no tables to make: requestLog.mode is off.
{{- else if not (or .Values.requestLog.databaseUrlSecretName .Values.extraEnvFrom (has "NAME_CLASSIFIER_DATABASE_URL" $extra)) }}
migrations needs a database: set requestLog.databaseUrlSecretName to a Secret whose entry url names it.
{{- end }}
{{- end }}
{{- end }}

{{- define "name-classifier.trainingProblems" -}}
{{- if .Values.trainingJob.enabled }}
{{- range .Values.trainingJob.args }}
{{- $option := first (splitList "=" .) }}
{{- if has $option (list "--store" "--data" "--drops") }}
trainingJob.args: {{ $option }} is set by the chart, which mounts the volume there: use persistence.subPath or trainingJob.subPath.
{{- else if has $option (list "--watch" "--run" "--step") }}
trainingJob.args: {{ $option }} is for a pipeline that is not started by a schedule: leave it out.
{{- end }}
{{- end }}
{{- with .Values.persistence }}
{{- if not .enabled }}
trainingJob has no store to promote in: set persistence.enabled, with a volume that the job and the service may mount.
{{- else if not (or .existingClaim (has "ReadWriteMany" .accessModes) (has "ReadWriteOnce" .accessModes)) }}
trainingJob writes to the store: persistence.accessModes ({{ join ", " .accessModes }}) has to hold ReadWriteMany.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the API server would refuse as a duplicate, or the chart would silently lose */}}
{{- define "name-classifier.collisions" -}}
{{- $names := list }}
{{- range concat (include "name-classifier.env" . | fromYamlArray) .Values.extraEnv }}
{{- if has .name $names }}
extraEnv: {{ .name }} is set already, by another entry or by the chart itself: use the chart's value.
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- $volumes := list }}
{{- range include "name-classifier.volumes" . | fromYamlArray }}
{{- if has .name $volumes }}
extraVolumes: there is a volume {{ .name }} already: choose another name.
{{- end }}
{{- $volumes = append $volumes .name }}
{{- end }}
{{- range $value := list "commonLabels" "podLabels" }}
{{- range $key, $_ := index $.Values $value }}
{{- if regexMatch "^(app[.]kubernetes[.]io/(name|instance|component|version|managed-by)|helm[.]sh/chart)$" $key }}
{{ $value }}: the chart sets {{ $key }} itself: leave it out.
{{- end }}
{{- end }}
{{- end }}
{{- range $key, $_ := .Values.podLabels }}
{{- if hasKey $.Values.commonLabels $key }}
podLabels: {{ $key }} stands in commonLabels already.
{{- end }}
{{- end }}
{{- if and .Values.rateLimitStorage.url .Values.rateLimitStorage.secretName }}
rateLimitStorage: set url or secretName, not both.
{{- end }}
{{- end }}
