{{/* What the chart sets itself, each value as a string; extraEnv may not name any of it again */}}
{{- define "name-classifier.env" -}}
- name: NAME_CLASSIFIER_HOST
  value: {{ .Values.host | quote }}
- name: NAME_CLASSIFIER_PORT
  value: {{ .Values.containerPort | quote }}
- name: NAME_CLASSIFIER_DRAIN_SECONDS
  value: {{ .Values.drainSeconds | quote }}
- name: NAME_CLASSIFIER_SHUTDOWN_GRACE_SECONDS
  value: {{ .Values.shutdownGraceSeconds | quote }}
- name: NAME_CLASSIFIER_ENVIRONMENT
  value: {{ ternary "production" "development" .Values.production | quote }}
{{- if .Values.persistence.enabled }}
- name: NAME_CLASSIFIER_BUNDLE_DIR
  value: {{ include "name-classifier.storeFolder" . | quote }}
- name: NAME_CLASSIFIER_FALLBACK_BUNDLE_DIR
  value: "artifacts"
{{- end }}
{{- if .Values.apiKeys.secretName }}
- name: NAME_CLASSIFIER_API_KEYS_FILE
  value: "{{ include "name-classifier.keysFolder" . }}/keys.json"
{{- end }}
- name: NAME_CLASSIFIER_RATE_LIMIT
  value: {{ .Values.rateLimit | quote }}
- name: NAME_CLASSIFIER_NAME_RATE_LIMIT
  value: {{ .Values.nameRateLimit | quote }}
{{- include "name-classifier.rateLimitStorage" . }}
{{- include "name-classifier.requestLog" . }}
- name: NAME_CLASSIFIER_TRUSTED_PROXIES
  value: {{ .Values.trustedProxies | toJson | quote }}
- name: NAME_CLASSIFIER_CORS_ORIGINS
  value: {{ .Values.corsOrigins | toJson | quote }}
- name: NAME_CLASSIFIER_DOCS_ENABLED
  value: {{ .Values.docsEnabled | quote }}
- name: NAME_CLASSIFIER_METRICS_ENABLED
  value: {{ .Values.metricsEnabled | quote }}
- name: NAME_CLASSIFIER_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
{{- with .Values.tracing.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{ include "name-classifier.threads" . }}
{{- end }}

{{- define "name-classifier.rateLimitStorage" -}}
{{- with .Values.rateLimitStorage }}
{{- if .secretName }}
- name: NAME_CLASSIFIER_RATE_LIMIT_STORAGE
  valueFrom:
    secretKeyRef:
      name: {{ include "name-classifier.text" .secretName | quote }}
      key: "url"
{{- else if .url }}
- name: NAME_CLASSIFIER_RATE_LIMIT_STORAGE
  value: {{ .url | quote }}
{{- end }}
- name: NAME_CLASSIFIER_RATE_LIMIT_FAILURE
  value: {{ .failure | quote }}
{{- end }}
{{- end }}

{{- define "name-classifier.requestLog" }}
- name: NAME_CLASSIFIER_REQUEST_LOG
  value: {{ .Values.requestLog.mode | default "off" | quote }}
{{- if include "name-classifier.recordsRequests" . }}
- name: NAME_CLASSIFIER_REQUEST_LOG_DIR
  value: {{ include "name-classifier.dataFolder" . | quote }}
- name: NAME_CLASSIFIER_REQUEST_LOG_NAMES
  value: {{ .Values.requestLog.names | quote }}
- name: NAME_CLASSIFIER_REQUEST_LOG_FULL
  value: {{ .Values.requestLog.full | quote }}
- name: NAME_CLASSIFIER_REQUEST_LOG_MAX_BYTES
  value: {{ div (include "name-classifier.thousandths" .Values.requestLog.maxSize | int64) 1000 | quote }}
{{- with .Values.requestLog.hashKeysSecretName }}
- name: NAME_CLASSIFIER_NAME_HASH_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ include "name-classifier.text" . | quote }}
      key: "keys"
{{- end }}
{{- include "name-classifier.databaseUrl" . }}
{{- end }}
{{- end }}

{{- define "name-classifier.databaseUrl" }}
{{- with .Values.requestLog.databaseUrlSecretName }}
- name: NAME_CLASSIFIER_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "name-classifier.text" . | quote }}
      key: "url"
{{- end }}
{{- end }}

{{/* A volume for the outbox: the pod's own, a claim of the pod's own, or one that is there */}}
{{- define "name-classifier.dataVolume" -}}
- name: data
  {{- with .Values.requestLog.volume }}
  {{- if .existingClaim }}
  persistentVolumeClaim:
    claimName: {{ include "name-classifier.text" .existingClaim | quote }}
  {{- else if .claimTemplate }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        {{- toYaml .claimTemplate | nindent 8 }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .sizeLimit | quote }}
  {{- end }}
  {{- end }}
{{- end }}

{{/* No more threads than cores, or throttling eats the latency; without a limit, limits.cpu is the node's */}}
{{- define "name-classifier.threads" -}}
{{- $resources := .Values.resources -}}
- name: NAME_CLASSIFIER_THREADS
{{- if or .Values.threads (not (or $resources.limits.cpu $resources.requests.cpu)) }}
  value: {{ .Values.threads | default 1 | quote }}
{{- else }}
  valueFrom:
    resourceFieldRef:
      containerName: "api"
      resource: {{ empty $resources.limits.cpu | ternary "requests.cpu" "limits.cpu" | quote }}
      divisor: "1"
{{- end }}
{{- end }}

{{- define "name-classifier.resources" -}}
requests:
  {{- include "name-classifier.compact" .requests | nindent 2 }}
limits:
  {{- include "name-classifier.compact" .limits | nindent 2 }}
{{- end }}

{{- define "name-classifier.volumeMounts" -}}
{{- if .Values.apiKeys.secretName }}
- name: keys
  mountPath: {{ include "name-classifier.keysFolder" . | quote }}
  readOnly: true
{{- end }}
{{- if include "name-classifier.recordsRequests" . }}
- name: data
  mountPath: {{ include "name-classifier.dataFolder" . | quote }}
{{- end }}
{{- if .Values.persistence.enabled }}
- name: store
  mountPath: {{ include "name-classifier.storeFolder" . | quote }}
  readOnly: {{ .Values.persistence.readOnly }}
  {{- with .Values.persistence.subPath }}
  subPath: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "name-classifier.volumes" -}}
{{- with .Values.apiKeys.secretName }}
- name: keys
  secret:
    secretName: {{ include "name-classifier.text" . | quote }}
    items:
      - key: "keys.json"
        path: "keys.json"
{{- end }}
{{- if include "name-classifier.recordsRequests" . }}
{{ include "name-classifier.dataVolume" . }}
{{- end }}
{{- if .Values.persistence.enabled }}
- name: store
  persistentVolumeClaim:
    claimName: {{ include "name-classifier.storeClaim" . | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Each constraint counts this release's pods; from 1.27 on, those of a rollout apart from their predecessors */}}
{{- define "name-classifier.topologySpreadConstraints" -}}
{{- $labels := include "name-classifier.selectorLabels" . | fromYaml }}
{{- range .Values.topologySpreadConstraints.constraints }}
{{- $filled := dict "labelSelector" (dict "matchLabels" $labels) }}
{{- if semverCompare ">=1.27-0" $.Capabilities.KubeVersion.Version }}
{{- $_ := set $filled "matchLabelKeys" (list "pod-template-hash") }}
{{- end }}
- {{ toYaml (merge (dict) . $filled) | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/* A probe of a path, with the times of a value */}}
{{- define "name-classifier.probe" -}}
httpGet:
  path: {{ .path | quote }}
  port: http
  scheme: HTTP
{{ toYaml .times }}
{{- end }}
