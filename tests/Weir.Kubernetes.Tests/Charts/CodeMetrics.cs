using System.Text.RegularExpressions;

namespace Weir.Kubernetes.Tests.Charts;

/// <summary>What can be asked of Prometheus: figures that the code makes, and those of kube-state-metrics that are used.</summary>
internal static partial class CodeMetrics
{
    /// <summary>Labels that Prometheus gives to whatever it reads from a pod.</summary>
    private static readonly string[] TargetLabels = ["namespace", "pod"];

    /// <summary>Names as they are asked for, with their labels.</summary>
    public static Dictionary<string, string[]> Of(string chart)
    {
        var source = chart == ChartFiles.Operator
            ? ChartFiles.InRepository("operator", "Weir.Operator", "Hosting", "OperatorMetrics.cs")
            : ChartFiles.InRepository("broker", "Weir.Server", "Diagnostics", "BrokerMetrics.cs");
        var metrics = new Dictionary<string, string[]>
        {
            ["kube_statefulset_replicas"] = ["namespace", "statefulset"],
            ["kube_statefulset_status_replicas_ready"] = ["namespace", "statefulset"],
        };
        foreach (Match match in Created().Matches(File.ReadAllText(source)))
        {
            var name = match.Groups["name"].Value;
            string[] labels = [.. match.Groups["label"].Captures.Select(static label => label.Value), .. TargetLabels];
            if (match.Groups["kind"].Value == "Histogram")
            {
                metrics[$"{name}_bucket"] = [.. labels, "le"];
                metrics[$"{name}_sum"] = labels;
                metrics[$"{name}_count"] = labels;
            }
            else
            {
                metrics[name] = labels;
            }
        }

        return metrics;
    }

    /// <summary>Names of the protocol's errors, which are results of requests.</summary>
    public static HashSet<string> Results() =>
    [
        .. ErrorCode().Matches(File.ReadAllText(ChartFiles.InRepository("broker", "Weir.Protocol", "Errors", "ErrorCode.cs")))
            .Select(static match => match.Groups["name"].Value),
    ];

    [GeneratedRegex("""Create(?<kind>Counter|Gauge|Histogram)\(\s*"(?<name>\w+)",\s*"[^"]*"(,\s*"(?<label>\w+)")*""")]
    private static partial Regex Created();

    [GeneratedRegex(@"^\s+(?<name>\w+) = \d+,", RegexOptions.Multiline)]
    private static partial Regex ErrorCode();
}
