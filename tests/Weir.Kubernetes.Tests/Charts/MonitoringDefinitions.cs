namespace Weir.Kubernetes.Tests.Charts;

/// <summary>
/// The fields of a Prometheus operator's resources that the charts use, so that an API server without it takes and checks them. A
/// field that is not here is refused as unknown.
/// </summary>
internal static class MonitoringDefinitions
{
    private const string Texts = "{type: object, additionalProperties: {type: string}}";
    private const string Time = "{type: string, pattern: '^([0-9]+(ms|s|m|h))+$'}";

    private const string EndPoints = """
        {type: array, items: {type: object, properties: {
          port: {type: string}, path: {type: string}, interval: TIME, scrapeTimeout: TIME,
          relabelings: {type: array, items: {type: object, properties: {
            action: {type: string}, regex: {type: string}, targetLabel: {type: string}, replacement: {type: string},
            sourceLabels: {type: array, items: {type: string}}}}}}}}
        """;

    private const string ServiceMonitor = """
        {type: object, required: [endpoints, selector], properties: {
          endpoints: ENDPOINTS, selector: {type: object, properties: {matchLabels: TEXTS}},
          namespaceSelector: {type: object, properties: {matchNames: {type: array, items: {type: string}}}}}}
        """;

    private const string PodMonitor = """
        {type: object, required: [podMetricsEndpoints, selector], properties: {
          podMetricsEndpoints: ENDPOINTS, selector: {type: object, properties: {matchLabels: TEXTS}},
          podTargetLabels: {type: array, items: {type: string}},
          namespaceSelector: {type: object, properties: {matchNames: {type: array, items: {type: string}}}}}}
        """;

    private const string PrometheusRule = """
        {type: object, properties: {groups: {type: array, items: {type: object, required: [name], properties: {
          name: {type: string}, rules: {type: array, items: {type: object, required: [expr], properties: {
            alert: {type: string}, expr: {type: string}, for: TIME, labels: TEXTS, annotations: TEXTS}}}}}}}}
        """;

    private const string Definition = """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: PLURAL.monitoring.coreos.com}
        spec:
          group: monitoring.coreos.com
          names: {kind: KIND, plural: PLURAL}
          scope: Namespaced
          versions:
          - name: v1
            served: true
            storage: true
            schema: {openAPIV3Schema: {type: object, properties: {spec: SPEC}}}
        """;

    /// <summary>All of them, to be applied.</summary>
    public static string Text { get; } = string.Join(
        "\n---\n",
        Define("ServiceMonitor", "servicemonitors", ServiceMonitor),
        Define("PodMonitor", "podmonitors", PodMonitor),
        Define("PrometheusRule", "prometheusrules", PrometheusRule));

    private static string Define(string kind, string plural, string spec) => new[]
    {
        ("SPEC", spec.ReplaceLineEndings(" ")), ("ENDPOINTS", EndPoints.ReplaceLineEndings(" ")), ("TEXTS", Texts), ("TIME", Time),
        ("KIND", kind), ("PLURAL", plural),
    }.Aggregate(Definition, static (text, pair) => text.Replace(pair.Item1, pair.Item2, StringComparison.Ordinal));
}
