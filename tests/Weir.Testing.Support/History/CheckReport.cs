using System.Globalization;
using System.Text;

namespace Weir.Testing.Support.History;

/// <summary>What a check counted, beside anomalies.</summary>
public sealed record HistoryFigures
{
    /// <summary>Sends that were acknowledged.</summary>
    public int Acknowledged { get; init; }

    /// <summary>Sends that may have happened.</summary>
    public int Unknown { get; init; }

    /// <summary>Sends that definitely did not happen.</summary>
    public int Failed { get; init; }

    /// <summary>Unknown sends that were read.</summary>
    public int UnknownRead { get; init; }

    /// <summary>Sent values that a successful poll read.</summary>
    public int Read { get; init; }

    /// <summary>Records in all polls.</summary>
    public long RecordsRead { get; init; }

    /// <summary>Polls.</summary>
    public int Polls { get; init; }

    /// <summary>Partitions.</summary>
    public int Partitions { get; init; }

    /// <summary>The longest time without an acknowledgement, from the first send to the end of the last.</summary>
    public TimeSpan LongestGap { get; init; }

    /// <summary>When it began, from the first send.</summary>
    public TimeSpan LongestGapAt { get; init; }

    /// <summary>The time between two acknowledgements that 99% are below.</summary>
    public TimeSpan P99Gap { get; init; }

    /// <summary>How long a record had been known when a poll was invoked that did not get as far.</summary>
    public TimeSpan LongestLag { get; init; }

    /// <summary>The same for the last poll of each partition: the largest of them.</summary>
    public TimeSpan LagAtEnd { get; init; }
}

/// <summary>What a check found.</summary>
/// <param name="Counts">How many anomalies there are of each kind that occurs.</param>
/// <param name="Anomalies">The first of each kind, in words.</param>
/// <param name="Figures">What was counted.</param>
public sealed record CheckReport(
    IReadOnlyDictionary<AnomalyKind, long> Counts,
    IReadOnlyList<Anomaly> Anomalies,
    HistoryFigures Figures)
{
    /// <summary>Whether there is no anomaly.</summary>
    public bool IsClean => Counts.Count == 0;

    /// <summary>How many anomalies of a kind there are.</summary>
    public long CountOf(AnomalyKind kind) => Counts.GetValueOrDefault(kind);

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{Figures.Acknowledged} sends acknowledged, {Figures.Failed} failed, {Figures.Unknown} unknown, "
            + $"{Figures.UnknownRead} of these read");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{Figures.Read} values read in {Figures.Polls} polls with {Figures.RecordsRead} records, "
            + $"{Figures.Partitions} partitions");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"acknowledgements: longest gap {Seconds(Figures.LongestGap)}, {Seconds(Figures.LongestGapAt)} after the "
            + $"first send; p99 gap {Seconds(Figures.P99Gap)}");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"reads: longest lag {Seconds(Figures.LongestLag)}, at the end {Seconds(Figures.LagAtEnd)}");
        if (IsClean)
        {
            text.AppendLine("no anomaly");
        }

        foreach (var (kind, count) in Counts.OrderBy(static pair => pair.Key))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{kind}: {count}");
            foreach (var anomaly in Anomalies.Where(anomaly => anomaly.Kind == kind))
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"  {anomaly.Text}");
            }
        }

        return text.ToString();
    }

    private static string Seconds(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.######} s");
}

/// <summary>Collects anomalies; of each kind only the first are put into words.</summary>
internal sealed class Findings(HistoryLog history)
{
    private const int TextsPerKind = 10;
    private readonly Dictionary<AnomalyKind, long> _counts = [];
    private readonly List<Anomaly> _anomalies = [];

    /// <summary>Counts an anomaly; whether it is also to be described.</summary>
    public bool Count(AnomalyKind kind) =>
        (_counts[kind] = _counts.GetValueOrDefault(kind) + 1) <= TextsPerKind;

    public void Describe(AnomalyKind kind, int partition, string text, int[] operations, long[] values) =>
        _anomalies.Add(new Anomaly(
            kind,
            history.Partitions[partition],
            $"{history.Partitions[partition]}: {text}; see {string.Join(", ", operations.Select(history.Describe))}",
            operations,
            values));

    public CheckReport ToReport(HistoryFigures figures) => new(_counts, _anomalies, figures);
}
