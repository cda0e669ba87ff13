{{/* Ports of what the values name, wherever that is: a policy knows no host names */}}
{{- define "name-classifier.egressPorts" -}}
{{- with .Values.rateLimitStorage }}
{{- if .secretName }}
- 6379
{{- else if .url }}
- {{ include "name-classifier.portOf" .url }}
{{- end }}
{{- end }}
{{- if and .Values.requestLog.databaseUrlSecretName (include "name-classifier.recordsRequests" .) }}
- 5432
{{- end }}
{{- with .Values.tracing.endpoint }}
- {{ include "name-classifier.portOf" . }}
{{- end }}
{{- end }}

{{/* The Service as the backend of an Ingress */}}
{{- define "name-classifier.ingressRule" -}}
http:
  paths:
    - path: {{ .Values.ingress.path | quote }}
      pathType: {{ .Values.ingress.pathType | quote }}
      backend:
        service:
          name: {{ include "name-classifier.serviceName" . | quote }}
          port:
            name: http
{{- end }}

{{/* A rule for name servers, wherever they are; on OpenShift their pods listen on 5353 */}}
{{- define "name-classifier.dnsEgress" -}}
- ports:
    {{- range $port := list 53 5353 }}
    {{- range $protocol := list "UDP" "TCP" }}
    - port: {{ $port }}
      protocol: {{ $protocol }}
    {{- end }}
    {{- end }}
{{- end }}
