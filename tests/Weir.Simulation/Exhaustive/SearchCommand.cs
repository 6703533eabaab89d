using System.Globalization;

namespace Weir.Simulation.Exhaustive;

/// <summary>A search from the command line, or one path of it played again.</summary>
public static class SearchCommand
{
    /// <summary>Steps that are separated by commas.</summary>
    public static IReadOnlyList<string> Split(string choices) =>
        choices.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Runs it and prints what came of it.</summary>
    /// <param name="options">What to search.</param>
    /// <param name="choices">Steps to play instead; null to search.</param>
    /// <returns>Exit code: 1 for a violation.</returns>
    public static int Run(SearchOptions options, string? choices)
    {
        if (choices is not null)
        {
            var shown = ExplicitSearch.Replay(options, Split(choices), Console.WriteLine);
            Console.WriteLine(shown ?? "no violation");
            return shown is null ? 0 : 1;
        }

        var result = new ExplicitSearch(options).Run();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{options.Subject}: {result.States} states, {result.Steps} steps, depth {result.Depth}, at most {options.Faults} faults, "
                + $"{options.Records} records and {options.Epochs} elections, {result.Elapsed.TotalSeconds:F1} s"
                + $"{(result.IsExhausted ? ", exhausted" : string.Empty)}"));
        if (result.Violation is null)
        {
            Console.WriteLine("no violation");
            return 0;
        }

        var bug = options.Bug == SeededBug.None ? string.Empty : $" --bug {options.Bug}";
        Console.WriteLine(result.Violation);
        Console.WriteLine(
            $"  replay: dotnet run -c Release --project tests/Weir.Simulation -- --search {options.Subject} --records {options.Records} "
                + $"--epochs {options.Epochs}{bug} --choices \"{string.Join(", ", result.Choices)}\"");
        return 1;
    }
}
