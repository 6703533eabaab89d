using System.Text.Json;

namespace Weir.Cluster.Tests;

/// <summary>
/// Records for tests: the real ones of the directory that <c>WEIR_DATA</c> names, or, where it is not set, some of the same
/// shape.
/// </summary>
public static class RealData
{
    /// <summary>Airports by their code.</summary>
    public static IReadOnlyList<(string Key, string Value)> Airports(int count) =>
        Read("airports.ndjson", "iata") ?? [.. Enumerable.Range(0, count).Select(static i => ($"A{i:x3}", $"{{\"iata\":\"A{i:x3}\",\"name\":\"{new string('a', 120)}\"}}"))];

    /// <summary>Flights by the airport that they start from, in the order of time.</summary>
    public static IReadOnlyList<(string Key, string Value)> Flights(int count) =>
        Read("flights.ndjson", "origin")
            ?? [.. Enumerable.Range(0, count).Select(static i => ($"O{i * 7919L % 211 % 60}", $"{{\"flight\":{i}}}"))];

    private static List<(string Key, string Value)>? Read(string file, string key)
    {
        if (Environment.GetEnvironmentVariable("WEIR_DATA") is not { Length: > 0 } directory)
        {
            return null;
        }

        var records = new List<(string Key, string Value)>();
        foreach (var line in File.ReadLines(Path.Combine(directory, file)))
        {
            using var json = JsonDocument.Parse(line);
            records.Add((json.RootElement.GetProperty(key).GetString()!, line));
        }

        return records;
    }
}
