{{/* The chart's name, which an alias in a parent chart replaces */}}
{{- define "name-classifier.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimAll "-_." }}
{{- end }}

{{/* Whether this is the release of the README, whose objects have short names */}}
{{- define "name-classifier.hasShortNames" -}}
{{- if and (eq .Release.Name "api-chart") (eq (include "name-classifier.name" .) "name-classifier") }}true{{ end }}
{{- end }}

{{/* A name by which no other release goes; a Service's must begin with a letter and has 63 characters at most */}}
{{- define "name-classifier.releaseName" -}}
{{- $name := include "name-classifier.name" . | lower | replace "_" "-" | replace "." "-" -}}
{{- $parts := regexMatch "^[a-z]" .Release.Name | ternary (list .Release.Name $name) (list $name .Release.Name) -}}
{{ include "name-classifier.fitted" (list (join "-" $parts | replace "." "-") 63) }}
{{- end }}

{{/* A name of at most so many characters; of a longer one the end becomes a hash */}}
{{- define "name-classifier.fitted" -}}
{{- $name := first . -}}
{{- $most := last . -}}
{{- $short := printf "%s-%s" (trunc (sub $most 9 | int) $name | trimSuffix "-") (sha256sum $name | trunc 8) -}}
{{ gt (len $name) $most | ternary $short $name }}
{{- end }}

{{/* Name of the Deployment and of whatever has no name of its own */}}
{{- define "name-classifier.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if include "name-classifier.hasShortNames" . -}}
fastapi-ml-{{ .Values.environment }}
{{- else }}
{{- include "name-classifier.releaseName" . }}
{{- end }}
{{- end }}

{{- define "name-classifier.serviceName" -}}
{{- if or .Values.service.name .Values.fullnameOverride }}
{{- .Values.service.name | default .Values.fullnameOverride }}
{{- else if include "name-classifier.hasShortNames" . -}}
fastapi-svc-{{ .Values.environment }}
{{- else }}
{{- include "name-classifier.releaseName" . }}
{{- end }}
{{- end }}

{{/* Name of the Job that migrates, and of what it needs; its pods bear it as a label */}}
{{- define "name-classifier.migrationsName" -}}
{{ include "name-classifier.fitted" (list (include "name-classifier.fullname" .) 52) }}-migrations
{{- end }}

{{/* Name of the CronJob that trains, and of what it needs; a CronJob's may have 52 characters */}}
{{- define "name-classifier.trainingName" -}}
{{ include "name-classifier.fitted" (list (include "name-classifier.fullname" .) 43) }}-training
{{- end }}

{{/* Annotations of a hook that runs before the release's own objects; what failed stays, to be looked at */}}
{{- define "name-classifier.migrationsHook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- define "name-classifier.serviceAccountName" -}}
{{- if or .Values.serviceAccount.create .Values.serviceAccount.name -}}
{{ include "name-classifier.text" .Values.serviceAccount.name | default (include "name-classifier.fullname" .) }}
{{- else -}}
default
{{- end }}
{{- end }}

{{/* A string; --set and YAML read one of digits alone as a number */}}
{{- define "name-classifier.text" -}}
{{ kindIs "string" . | ternary . (toString (int64 .)) }}
{{- end }}

{{- define "name-classifier.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "name-classifier.image" -}}
{{- with .Values.image.digest }}
{{- printf "%s@%s" $.Values.image.repository . }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (include "name-classifier.tag" .) }}
{{- end }}
{{- end }}

{{- define "name-classifier.trainingImage" -}}
{{- with .Values.trainingJob.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where the Secret with the API keys is mounted */}}
{{- define "name-classifier.keysFolder" -}}
/etc/name-classifier
{{- end }}

{{/* Where the store of bundles is mounted */}}
{{- define "name-classifier.storeFolder" -}}
/store
{{- end }}

{{/* Where the outbox of the request log is */}}
{{- define "name-classifier.dataFolder" -}}
/data
{{- end }}

{{/* YAML reads a bare off as false */}}
{{- define "name-classifier.recordsRequests" -}}
{{- if not (has .Values.requestLog.mode (list "off" false)) }}true{{ end }}
{{- end }}

{{- define "name-classifier.storeClaim" -}}
{{- $new := printf "%s-store" (include "name-classifier.fullname" .) -}}
{{ include "name-classifier.text" .Values.persistence.existingClaim | default $new }}
{{- end }}

{{/* Of all pods; the component tells those that serve from the others */}}
{{- define "name-classifier.instanceLabels" -}}
app.kubernetes.io/name: {{ include "name-classifier.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* What selects the pods that serve; never changes within a release */}}
{{- define "name-classifier.selectorLabels" -}}
{{ include "name-classifier.instanceLabels" . }}
app.kubernetes.io/component: "api"
{{- end }}

{{- define "name-classifier.testLabels" -}}
{{ include "name-classifier.instanceLabels" . }}
app.kubernetes.io/component: "test"
{{- end }}

{{- define "name-classifier.migrationsLabels" -}}
{{ include "name-classifier.instanceLabels" . }}
app.kubernetes.io/component: "migrations"
{{- end }}

{{- define "name-classifier.trainingLabels" -}}
{{ include "name-classifier.instanceLabels" . }}
app.kubernetes.io/component: "training"
{{- end }}

{{/* Of every pod; a tag may be longer than a label's value */}}
{{- define "name-classifier.podLabels" -}}
app.kubernetes.io/version: {{ include "name-classifier.tag" . | trunc 63 | trimAll "._-" | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of every object but the pods: a new chart version alone must not restart them */}}
{{- define "name-classifier.labels" -}}
{{ include "name-classifier.selectorLabels" . }}
{{ include "name-classifier.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimAll "._-" | quote }}
{{- end }}

{{/* How many pods there may be; several where whoever scales them decides */}}
{{- define "name-classifier.mostReplicas" -}}
{{ int (.Values.autoscaling.enabled | ternary .Values.autoscaling.maxReplicas (.Values.replicas | default 2)) }}
{{- end }}

{{/* From SIGTERM to SIGKILL: the service's own limits, 10 s in which it closes the request log, 5 s to spare */}}
{{- define "name-classifier.gracePeriod" -}}
{{- $needed := addf .Values.drainSeconds .Values.shutdownGraceSeconds 15 | ceil | int -}}
{{ .Values.terminationGracePeriodSeconds | default $needed }}
{{- end }}

{{/* A quantity in thousandths: 500m is 500, 1 is 1000, 1Ki is 1024000 */}}
{{- define "name-classifier.thousandths" -}}
{{- $number := regexFind "^[0-9.]+" (toString .) -}}
{{- $unit := trimPrefix $number (toString .) -}}
{{- $decimal := dict "m" 1 "" 1000 "k" 1e6 "M" 1e9 "G" 1e12 "T" 1e15 -}}
{{- $binary := dict "Ki" 1024e3 "Mi" 1048576e3 "Gi" 1073741824e3 "Ti" 1099511627776e3 -}}
{{ mulf $number (get (merge $decimal $binary) $unit) | int64 }}
{{- end }}

{{/* A map without what null or an empty string takes away */}}
{{- define "name-classifier.compact" -}}
{{- $kept := dict }}
{{- range $key, $value := . }}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
{{- $_ := set $kept $key $value }}
{{- end }}
{{- end }}
{{- toYaml $kept }}
{{- end }}

{{/* The port of a URL */}}
{{- define "name-classifier.portOf" -}}
{{- $url := urlParse . -}}
{{- $defaults := dict "http" "80" "https" "443" "redis" "6379" "rediss" "6379" -}}
{{ regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (get $defaults $url.scheme) }}
{{- end }}
