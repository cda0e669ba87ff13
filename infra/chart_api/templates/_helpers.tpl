{{/* Name of the Deployment, its ServiceAccount and its PodDisruptionBudget */}}
{{- define "name-classifier.fullname" -}}
fastapi-ml-{{ .Values.environment }}
{{- end }}

{{- define "name-classifier.serviceName" -}}
fastapi-svc-{{ .Values.environment }}
{{- end }}

{{- define "name-classifier.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "name-classifier.image" -}}
{{ .Values.image.repository }}:{{ include "name-classifier.tag" . }}
{{- end }}

{{/* Where the Secret with the API keys is mounted */}}
{{- define "name-classifier.keysFolder" -}}
/etc/name-classifier
{{- end }}

{{/* What selects the pods that serve; never changes within a release, and the test pod has another component */}}
{{- define "name-classifier.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: api
{{- end }}

{{/* A tag may be longer than a label's value */}}
{{- define "name-classifier.versionLabel" -}}
app.kubernetes.io/version: {{ include "name-classifier.tag" . | trunc 63 | trimAll "._-" | quote }}
{{- end }}

{{/* Of every object but the pods: a new chart version alone must not restart them */}}
{{- define "name-classifier.labels" -}}
{{ include "name-classifier.selectorLabels" . }}
{{ include "name-classifier.versionLabel" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The restricted Pod Security profile, for the pod and for its container; no value loosens it */}}
{{- define "name-classifier.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "name-classifier.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}
