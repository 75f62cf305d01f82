{{/* Names, labels, and what several templates have to say in the same words. */}}

{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters: a StatefulSet puts a hash of ten after it in a label of its pods. */}}
{{- define "exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := include "exporter.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Not those of the pods: a Service must not find the pod of the test. */}}
{{- define "exporter.testLabels" -}}
app.kubernetes.io/name: {{ include "exporter.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Call with (list $ map…): the chart's labels, and those of the maps; a later one takes the place of an earlier one, but what
     selects stays. */}}
{{- define "exporter.labels" -}}
{{- $root := first . }}
{{- $labels := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_")
  "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- range concat (list $root.Values.commonLabels) (rest .) }}{{ $labels = mustMergeOverwrite $labels (deepCopy (default dict .)) }}{{ end }}
{{- toYaml (mustMergeOverwrite $labels (include "exporter.selectorLabels" $root | fromYaml)) }}
{{- end }}

{{- define "exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "exporter.image" -}}
{{- $image := .Values.image }}
{{- $name := $image.repository }}
{{- if $image.registry }}{{ $name = printf "%s/%s" $image.registry $image.repository }}{{ end }}
{{- if $image.digest }}
{{- printf "%s@%s" $name $image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{- define "exporter.configMapName" -}}
{{- default (include "exporter.fullname" .) .Values.existingConfigMap }}
{{- end }}

{{- define "exporter.webSecretName" -}}
{{- if .Values.web.existingSecret }}{{ .Values.web.existingSecret }}
{{- else if .Values.web.config }}{{ include "exporter.fullname" . }}-web
{{- end }}
{{- end }}

{{/* https or http. */}}
{{- define "exporter.scheme" -}}
{{- if or .Values.web.tls (get .Values.web.config "tls_server_config") }}https{{ else }}http{{ end }}
{{- end }}

{{/* Not empty where a client without a certificate is refused, as a kubelet is. */}}
{{- define "exporter.requiresClientCertificate" -}}
{{- $type := dig "tls_server_config" "client_auth_type" "" .Values.web.config }}
{{- if or .Values.web.requiresClientCertificate (has $type (list "RequireAnyClientCert" "RequireAndVerifyClientCert")) }}true{{ end }}
{{- end }}

{{/* Which nodes a pod may run on and how it looks up names. Call with (list $ affinity): that of the test is another one. */}}
{{- define "exporter.placement" -}}
{{- $values := (first .).Values }}
{{- $fields := dict }}
{{- range $name := list "nodeSelector" "tolerations" "priorityClassName" "hostAliases" "dnsPolicy" "dnsConfig" }}
{{- with get $values $name }}{{ $_ := set $fields $name . }}{{ end }}
{{- end }}
{{- with last . }}{{ $_ := set $fields "affinity" . }}{{ end }}
{{- with $fields }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* A duration of Prometheus in milliseconds; 0 of none. */}}
{{- define "exporter.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 "y" 31536000000 }}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+(ms|[smhdwy])" (toString (default "" .)) -1 }}
{{- $sum = add $sum (mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]+$" .) | int64)) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* What a probe asks. Call with (list $ path). */}}
{{- define "exporter.probeHandler" -}}
{{- $root := first . }}
{{- if include "exporter.requiresClientCertificate" $root }}
tcpSocket:
  port: http
{{- else }}
httpGet:
  path: {{ last . }}
  port: http
  scheme: {{ include "exporter.scheme" $root | upper }}
{{- end }}
{{- end }}

{{/* host:port of one pod. Call with (list $ ordinal). */}}
{{- define "exporter.podAddress" -}}
{{- $root := first . }}
{{- $name := include "exporter.fullname" $root }}
{{- printf "%s-%d.%s.%s.svc:%d" $name (int (last .)) $name $root.Release.Namespace (int $root.Values.web.port) }}
{{- end }}

{{/* The groups of rules that are shipped, as JSON. They hold templates of Prometheus: they are read, never rendered. */}}
{{- define "exporter.ruleGroups" -}}
{{- $groups := (.Files.Get "files/registry-backend.rules.yml" | fromYaml).groups }}
{{- if gt (int .Values.shards) 1 }}
{{- range $group := (.Files.Get "files/registry-backend-shards.rules.yml" | fromYaml).groups }}
{{- range $rule := $group.rules }}
{{- $_ := set $rule "expr" (regexReplaceAll " < [0-9]+$" $rule.expr (printf " < %d" (int $.Values.shards))) }}
{{- /* Other releases have the same job. Who scrapes this one in another way has other labels. */}}
{{- if $.Values.serviceMonitor.enabled }}
{{- $place := dict "namespace" $.Release.Namespace "service" (include "exporter.fullname" $) }}
{{- $_ := set $rule "expr" (replace "job=\"registry-backend-exporter\"" (printf "job=\"registry-backend-exporter\",namespace=%q,service=%q" $place.namespace $place.service) $rule.expr) }}
{{- $_ := set $rule "labels" (mustMergeOverwrite (deepCopy $rule.labels) $place) }}
{{- $_ := set $rule.annotations "description" (replace "of the job registry-backend-exporter," (printf "of the job registry-backend-exporter in the namespace %s," $place.namespace) $rule.annotations.description) }}
{{- end }}
{{- end }}
{{- $groups = append $groups $group }}
{{- end }}
{{- end }}
{{- toJson $groups }}
{{- end }}

{{/* What the schema cannot say, or not clearly. */}}
{{- define "exporter.check" -}}
{{- $values := .Values }}
{{- $registry := default "" $values.image.registry }}
{{- if contains "//" $registry }}
{{- fail (printf "image.registry: %q holds a scheme; give a host alone, or with a port and a path: registry.example.com:5000/tools" $registry) }}
{{- end }}
{{- if not (regexMatch "^(([-A-Za-z0-9.]+|[[][0-9A-Fa-f:.]+[]])(:[0-9]+)?(/[-a-z0-9._]+)*)?$" $registry) }}
{{- fail (printf "image.registry: %q is no registry; give a host, with a port and a path in small letters where there are such: registry.example.com:5000/tools" $registry) }}
{{- end }}
{{- if regexMatch ":[^/]*$|^[^/]*:" $values.image.repository }}
{{- fail (printf "image.repository: %q holds a tag or a port; a tag belongs into image.tag, a registry into image.registry" $values.image.repository) }}
{{- end }}
{{- if not (regexMatch "^[a-z0-9]+([-._]+[a-z0-9]+)*(/[a-z0-9]+([-._]+[a-z0-9]+)*)*$" $values.image.repository) }}
{{- fail (printf "image.repository: %q is no repository; give names of small letters, digits, -, _ and . with / between: tools/registry-backend-exporter" $values.image.repository) }}
{{- end }}
{{- range $where, $labels := dict "commonLabels" $values.commonLabels "labels" $values.labels "podLabels" $values.podLabels "service.labels" $values.service.labels
    "persistence.labels" $values.persistence.labels "serviceMonitor.labels" $values.serviceMonitor.labels "prometheusRule.labels" $values.prometheusRule.labels
    "reachability.labels" $values.reachability.labels "nodeSelector" $values.nodeSelector "dashboards" (dict $values.dashboards.label $values.dashboards.labelValue) }}
{{- range $key, $value := $labels }}
{{- if not (regexMatch "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$" $key) }}
{{- fail (printf "%s: %q cannot be a label; its name begins and ends with a letter or digit, and so does what stands before a /" $where $key) }}
{{- end }}
{{- if not (regexMatch "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$" $value) }}
{{- fail (printf "%s: %q cannot be the value of the label %s; it begins and ends with a letter or digit" $where $value $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "exporter.fullname" .)) }}
{{- fail (printf "the name of a Service is of small letters, digits and -, and begins with a letter: %q is none; set fullnameOverride" (include "exporter.fullname" .)) }}
{{- end }}
{{- if and (eq (toString $values.image.tag) "latest") (not $values.image.digest) }}
{{- fail "image.tag: latest is another image tomorrow; name a version" }}
{{- end }}
{{- if not (or $values.existingConfigMap $values.config.targets) }}
{{- fail "config.targets is empty: name at least one repository to watch, or leave it out for the default one" }}
{{- end }}
{{- if and $values.web.config $values.web.existingSecret }}
{{- fail "web.config and web.existingSecret: give one of the two" }}
{{- end }}
{{- if gt (int $values.shards) 1 }}
{{- if semverCompare "<1.28.0-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "shards: more than 1 needs Kubernetes 1.28 or newer, which gives pods their index as a label; this is %s" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if and $values.persistence.enabled $values.persistence.existingClaim }}
{{- fail "persistence.existingClaim: one claim cannot be shared by several shards; leave it empty, and each gets its own" }}
{{- end }}
{{- end }}
{{- if and $values.reachability.enabled (not $values.reachability.blackboxAddress) }}
{{- fail "reachability.blackboxAddress: say where blackbox_exporter is, as host:port" }}
{{- end }}
{{- range $name, $content := $values.extraConfigFiles }}
{{- if or (has $name (list "exporter.yml" "." "..")) (not (regexMatch "^[-._a-zA-Z0-9]+$" $name)) }}
{{- fail (printf "extraConfigFiles: %q cannot be a file's name beside exporter.yml; use letters, digits, -, _ and ." $name) }}
{{- end }}
{{- end }}
{{- range $values.extraEnv }}
{{- if eq (get . "name") "POD_INDEX" }}
{{- fail "extraEnv: POD_INDEX is set by the chart" }}
{{- end }}
{{- end }}
{{- range $values.extraArgs }}
{{- if regexMatch "^--(config[.](file|check)|storage[.]path|web[.](config[.]file|listen-address|telemetry-path|external-url)|shard[.](index|total)|log[.](level|format))(=|$)" . }}
{{- fail (printf "extraArgs: %s is set by the chart; use config, persistence, web, shards or log" .) }}
{{- end }}
{{- end }}
{{- end }}
