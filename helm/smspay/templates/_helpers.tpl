{{/* Labels of an object. Takes (list $ component). */}}
{{- define "smspay.labels" -}}
{{- $root := index . 0 -}}
{{ include "smspay.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* What selects a component's pods. Takes (list $ component). */}}
{{- define "smspay.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: smspay
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* SMSPAY_MODE: what has the simulator is for development. Takes $. */}}
{{- define "smspay.mode" -}}
{{ ternary "development" "production" .Values.simulator.enabled }}
{{- end }}

{{/* The services that run, by name, each with the defaults under its own values. Takes $. */}}
{{- define "smspay.services" -}}
{{- $services := dict -}}
{{- $given := set (deepCopy .Values.services) "admin" .Values.admin.service -}}
{{- if .Values.simulator.enabled -}}{{- $_ := set $given "simulator" .Values.simulator.service -}}{{- end -}}
{{- range $name, $own := $given -}}
{{- $_ := set $services $name (mergeOverwrite (deepCopy $.Values.defaults) (deepCopy ($own | default dict))) -}}
{{- end -}}
{{- toYaml $services -}}
{{- end }}

{{/*
What runs by the clock or by hand, by name, each made of the defaults as a service is, with schedule, suspend, and what "smspay.pod" asks
of a Job. Takes $.
*/}}
{{- define "smspay.jobs" -}}
{{- $jobs := dict -}}
{{- with .Values.verify -}}
{{- if .enabled -}}
{{- $args := list "verify" "--heads" "/heads/heads" -}}
{{- $claims := dict "/heads" (include "smspay.claim" (list $ "heads" .)) -}}
{{- $_ := set $jobs "verify" (dict "schedule" .schedule "args" $args "claims" $claims "database" "wallet" "keys" (list "ledger-key") "resources" .resources) -}}
{{- end -}}
{{- end -}}
{{- with .Values.backup -}}
{{- if .enabled -}}
{{- $claims := dict "/backups" (include "smspay.claim" (list $ "backups" .)) -}}
{{- $backup := concat (list "backup" "/backups" "--keep" (.keep | toString) "--databases") (include "smspay.databases" $ | fromJson | values | sortAlpha) -}}
{{- $_ := set $jobs "backup" (dict "schedule" .schedule "args" $backup "claims" $claims "database" "backup" "resources" .resources) -}}
{{- $restore := compact (list "restore" "/backups" .restore) -}}
{{- $_ := set $jobs "restore" (dict "schedule" .schedule "suspend" true "args" $restore "claims" $claims "database" "backup" "resources" .resources) -}}
{{- end -}}
{{- end -}}
{{- $common := dict "path" "tools/admin/src/main.js" "port" 0 "nats" false "restartPolicy" "Never" -}}
{{- range $name, $own := $jobs -}}
{{- $_ := set $jobs $name (mergeOverwrite (deepCopy $.Values.defaults) $common $own) -}}
{{- end -}}
{{- toYaml $jobs -}}
{{- end }}

{{/* The name of a claim. Takes (list $ name values): values may name one that exists. */}}
{{- define "smspay.claim" -}}
{{- (index . 2).existingClaim | default (printf "%s-%s" (index . 0).Release.Name (index . 1)) -}}
{{- end }}

{{/* The image of all services. Takes $. */}}
{{- define "smspay.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The name of the Secret of a key file. Takes (list $ name). */}}
{{- define "smspay.keySecret" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- $key := index $root.Values.keys $name | required (printf "services: keys names %s, which keys does not have" $name) -}}
{{ $key.existingSecret | default (printf "%s-%s" $root.Release.Name $name) }}
{{- end }}

{{/* The name of the Secret with the provider's token. Takes $. */}}
{{- define "smspay.twilioSecret" -}}
{{ ternary (printf "%s-simulated-twilio" .Release.Name) .Values.twilio.existingSecret .Values.simulator.enabled }}
{{- end }}

{{/* A checksum of the Secrets that the values name, and of NATS' CA: one that changed rolls the pods at the next upgrade. Takes $. */}}
{{- define "smspay.secretsChecksum" -}}
{{- $names := list .Values.twilio.existingSecret .Values.mongodb.existingSecret .Values.nats.existingSecret -}}
{{- range .Values.keys -}}{{- $names = append $names .existingSecret -}}{{- end -}}
{{- $data := list (include "smspay.natsRenewed" .) -}}
{{- range compact $names | uniq -}}{{- $data = append $data (dig "data" dict (lookup "v1" "Secret" $.Release.Namespace .)) -}}{{- end -}}
{{- toJson $data | sha256sum -}}
{{- end }}

{{/* Which MongoDB is used: uri, existingSecret, operator, or bundled where none of them is given. Takes $. */}}
{{- define "smspay.mongodb" -}}
{{- with .Values.mongodb -}}
{{- if .uri -}}uri{{- else if .existingSecret -}}existingSecret{{- else if .operator.enabled -}}operator{{- else -}}bundled{{- end -}}
{{- end -}}
{{- end }}

{{/* The name of a service's database. Takes the name of the service. */}}
{{- define "smspay.database" -}}
smspay_{{ replace "-" "_" . }}
{{- end }}

{{/* The databases that are used, by the name of the service, which is their user's too. Takes $. */}}
{{- define "smspay.databases" -}}
{{- $databases := dict -}}
{{- range include "smspay.services" . | fromYaml -}}
{{- with .database -}}{{- $_ := set $databases . (include "smspay.database" .) -}}{{- end -}}
{{- end -}}
{{- toJson $databases -}}
{{- end }}

{{/* The environment variable MONGODB_URI of whoever uses a service's database. Takes (list $ service). */}}
{{- define "smspay.mongodbUri" -}}
{{- $root := index . 0 -}}{{- $user := index . 1 -}}
{{- $kind := include "smspay.mongodb" $root -}}
{{- $own := printf "%s-mongodb" $root.Release.Name -}}
name: MONGODB_URI
{{- if eq $kind "uri" }}
value: {{ replace "{database}" (include "smspay.database" $user) $root.Values.mongodb.uri | quote }}
{{- else if eq $kind "operator" }}
valueFrom: { secretKeyRef: { name: {{ $own }}-{{ $user }}, key: connectionString.standard } }
{{- else }}
valueFrom: { secretKeyRef: { name: {{ $root.Values.mongodb.existingSecret | default $own | quote }}, key: {{ $user }} } }
{{- end }}
{{- end }}

{{/* The egress of a NetworkPolicy to MongoDB, in one line. Takes $. */}}
{{- define "smspay.mongodbEgress" -}}
{{- if has (include "smspay.mongodb" .) (list "bundled" "operator") -}}
{ to: [{{ include "smspay.peer" (list . "mongodb") }}], ports: [{ port: 27017 }] }
{{- else -}}
{ ports: [{{ range $i, $port := .Values.mongodb.ports }}{{ if $i }}, {{ end }}{ port: {{ $port }} }{{ end }}] }
{{- end -}}
{{- end }}

{{/* What the restricted Pod Security Standard asks of a pod. */}}
{{- define "smspay.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* … and of a container. Takes $. */}}
{{- define "smspay.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ not .Values.image.watch }}
capabilities: { drop: [ALL] }
{{- end }}

{{/* Where a pod may run, and with whose credentials its image is pulled. Takes (list $ service); of what is no service: the defaults. */}}
{{- define "smspay.placement" -}}
{{- $root := index . 0 -}}{{- $service := index . 1 -}}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ quote . }}
{{- end }}
{{- end }}
{{- with $service.priorityClassName }}
priorityClassName: {{ quote . }}
{{- end }}
{{- with $service.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $service.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Spread over zones and nodes where there are several. Takes (list $ component). */}}
{{- define "smspay.spread" -}}
{{- $labels := include "smspay.selector" . -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- $labels | nindent 6 }}
{{- end }}
{{- end }}

{{/* Stops what cannot work, before anything is installed. Takes $. */}}
{{- define "smspay.check" -}}
{{- if .Values.simulator.enabled -}}
{{- range $name, $value := dict "publicUrl" .Values.publicUrl "twilio.accountSid" .Values.twilio.accountSid "twilio.existingSecret" .Values.twilio.existingSecret "ingress.enabled" .Values.ingress.enabled "httpRoute.enabled" .Values.httpRoute.enabled -}}
{{- if $value -}}{{- fail (printf "simulator.enabled: must be false where %s is set, got true: the simulator takes Twilio's place with secrets that are not for real money" $name) -}}{{- end -}}
{{- end -}}
{{- else -}}
{{- if not (hasPrefix "https://" .Values.publicUrl) -}}{{- fail (printf "publicUrl: must begin with https://, got %q" .Values.publicUrl) -}}{{- end -}}
{{- if not .Values.twilio.accountSid -}}{{- fail "twilio.accountSid: must be the account's SID (AC…), got none" -}}{{- end -}}
{{- if not .Values.twilio.existingSecret -}}{{- fail "twilio.existingSecret: must name a Secret with authToken, got none" -}}{{- end -}}
{{- end -}}
{{- $mongodb := list -}}
{{- range $name, $given := dict "uri" .Values.mongodb.uri "existingSecret" .Values.mongodb.existingSecret "operator.enabled" .Values.mongodb.operator.enabled -}}
{{- if $given -}}{{- $mongodb = append $mongodb $name -}}{{- end -}}
{{- end -}}
{{- if gt (len $mongodb) 1 -}}{{- fail (printf "mongodb: at most one of uri, existingSecret and operator.enabled may be set, got %s" (join " and " $mongodb)) -}}{{- end -}}
{{- if and .Values.ingress.enabled .Values.httpRoute.enabled -}}{{- fail "httpRoute.enabled: must be false where ingress.enabled is true: one of them routes publicUrl" -}}{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}{{- fail "httpRoute.parentRefs: must name the Gateway, got none" -}}{{- end -}}
{{- if and .Values.monitoring.podMonitor.enabled .Values.networkPolicy.enabled (not .Values.monitoring.namespace) -}}{{- fail "monitoring.namespace: must name the namespace of Prometheus, or no NetworkPolicy lets it in, got none" -}}{{- end -}}
{{- range $name, $service := include "smspay.services" . | fromYaml -}}
{{- with $service.autoscaling -}}
{{- if and .enabled .keda.enabled -}}{{- fail (printf "%s: autoscaling.enabled and autoscaling.keda.enabled are both true: two autoscalers fight, choose one" $name) -}}{{- end -}}
{{- if and .keda.enabled (not .keda.serverAddress) -}}{{- fail (printf "%s: autoscaling.keda.serverAddress: must be the URL of Prometheus, got none" $name) -}}{{- end -}}
{{- if and (or .enabled .keda.enabled) (lt (int .maxReplicas) (int $service.replicas)) -}}{{- fail (printf "%s: autoscaling.maxReplicas: must be at least replicas (%v), got %v" $name $service.replicas .maxReplicas) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.nats.url (not .Values.nats.existingSecret) -}}{{- fail "nats.existingSecret: must name a Secret with the seed of each credential and ca.crt where nats.url is set, got none" -}}{{- end -}}
{{- end }}

{{/* The beginning of the NetworkPolicy of a component. Takes (list $ component). */}}
{{- define "smspay.policy" }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ (index . 0).Release.Name }}-{{ index . 1 }}
  labels: {{- include "smspay.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "smspay.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end }}

{{/* A component as the peer of a NetworkPolicy, in one line. Takes (list $ component). */}}
{{- define "smspay.peer" -}}
{ podSelector: { matchLabels: {{ include "smspay.selector" . | fromYaml | toJson }} } }
{{- end }}

{{/* Annotations of what runs before an install, an upgrade and a rollback. */}}
{{- define "smspay.hook" -}}
helm.sh/hook: pre-install,pre-upgrade,pre-rollback
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* Where NATS is. Takes $. */}}
{{- define "smspay.natsUrl" -}}
{{ .Values.nats.url | default (printf "nats://%s-nats:4222" .Release.Name) }}
{{- end }}

{{/* The revision of the release that made the certificate of NATS anew: this one, where its CA was deleted. Takes $. */}}
{{- define "smspay.natsRenewed" -}}
{{- $certificate := lookup "v1" "Secret" .Release.Namespace (printf "%s-nats-tls" .Release.Name) -}}
{{- if and $certificate (not (lookup "v1" "Secret" .Release.Namespace (printf "%s-nats-ca" .Release.Name))) -}}
{{ .Release.Revision }}
{{- else -}}
{{ dig "data" "renewed" "" $certificate | b64dec }}
{{- end -}}
{{- end }}

{{/* A NATS credential as the file path of a projected volume. Takes (list $ credential path). */}}
{{- define "smspay.natsSeed" -}}
{{- $root := index . 0 -}}{{- $nats := $root.Values.nats -}}
{{- $secret := ternary $nats.existingSecret (printf "%s-nats-%s" $root.Release.Name (index . 1)) (not (empty $nats.url)) -}}
- secret: { name: {{ quote $secret }}, items: [{ key: {{ ternary (index . 1) "seed" (not (empty $nats.url)) }}, path: {{ index . 2 }} }] }
{{- end }}

{{/* The CA of NATS as the file ca.crt of a projected volume. Takes $. */}}
{{- define "smspay.natsCa" -}}
{{- $secret := ternary .Values.nats.existingSecret (printf "%s-nats-tls" .Release.Name) (not (empty .Values.nats.url)) -}}
- secret: { name: {{ quote $secret }}, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
