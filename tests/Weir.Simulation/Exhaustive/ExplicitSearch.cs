using System.Collections.Concurrent;
using System.Diagnostics;

namespace Weir.Simulation.Exhaustive;

/// <summary>
/// Tries every order of steps, shortest first, up to bounds on steps and faults, and stops at the first state in which
/// something holds that must not. The machines cannot be copied, so every step is reached by playing all before it again; a
/// state that was seen before is not gone on from.
/// </summary>
public sealed class ExplicitSearch(SearchOptions options)
{
    private readonly ConcurrentDictionary<ulong, byte> _seen = new();
    private readonly List<(int Parent, Choice Choice)> _states = [];
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private volatile bool _isOver;
    private long _steps;

    /// <summary>Plays one path, and tells of each state on it. What is not possible, as without the bug, is left out.</summary>
    /// <returns>What went wrong; null if nothing did.</returns>
    public static string? Replay(SearchOptions options, IEnumerable<string> choices, Action<string> log)
    {
        using var model = Create(options);
        log($"start: {model.Describe()}");
        foreach (var choice in choices.Select(Choice.Parse).TakeWhile(_ => model.Violation is null))
        {
            var isPossible = IsPossible(model, choice);
            if (isPossible)
            {
                model.Do(choice);
            }

            log($"{choice}: {(isPossible ? model.Describe() : "not possible")}");
        }

        return model.Violation;
    }

    /// <summary>Searches until the bounds or the first violation.</summary>
    public SearchResult Run()
    {
        using var start = Create(options, isChecked: true);
        var frontier = new List<Found> { See(start, -1, default, faults: 0)! };
        _states.Add((-1, default));
        var depth = 0;
        var failure = start.Violation is null ? null : frontier[0];
        for (; depth < options.Depth && frontier.Count > 0 && failure is null && !_isOver; depth++)
        {
            frontier = Expand(frontier, ref failure);
        }

        return new SearchResult(
            _seen.Count, _steps, _isOver && failure is null ? depth - 1 : depth, frontier.Count == 0 && failure is null,
            _elapsed.Elapsed, failure?.Violation,
            failure is null ? [] : [.. options.Prefix, .. PathTo(failure).Select(static choice => choice.ToString())]);
    }

    private static bool IsPossible(SearchModel model, Choice choice)
    {
        var possible = new List<Choice>();
        model.Collect(possible);
        return possible.Contains(choice);
    }

    private static SearchModel Create(SearchOptions options, bool isChecked = false)
    {
        SearchModel model = options.Subject == SearchSubject.Quorum ? new QuorumModel(options) : new PartitionModel(options);
        foreach (var choice in options.Prefix)
        {
            var step = Choice.Parse(choice);
            if (isChecked && !IsPossible(model, step))
            {
                throw new ArgumentException($"{choice} is not possible where the prefix has it");
            }

            model.Do(step);
        }

        return model;
    }

    private List<Found> Expand(List<Found> frontier, ref Found? failure)
    {
        var found = new ConcurrentQueue<Found>();
        Parallel.ForEach(
            frontier, new ParallelOptions { MaxDegreeOfParallelism = options.Threads }, state =>
            {
                var path = PathTo(state);
                foreach (var choice in state.Next)
                {
                    if (!_isOver && Step(state, path, choice) is { } next)
                    {
                        found.Enqueue(next);
                    }
                }
            });

        var nextFrontier = new List<Found>(found.Count);
        foreach (var state in found)
        {
            state.Index = _states.Count;
            _states.Add((state.Parent, state.Choice));
            nextFrontier.Add(state);
            failure ??= state.Violation is null ? null : state;
        }

        return nextFrontier;
    }

    private Found? Step(Found state, List<Choice> path, Choice choice)
    {
        if (_elapsed.Elapsed > options.MaxTime || _seen.Count >= options.MaxStates)
        {
            _isOver = true;
            return null;
        }

        Interlocked.Increment(ref _steps);
        using var model = Create(options);
        foreach (var before in path)
        {
            model.Do(before);
        }

        model.Do(choice);
        return See(model, state.Index, choice, state.Faults + (choice.IsFault ? 1 : 0));
    }

    /// <summary>Takes a state up, unless it was reached before with as few faults.</summary>
    private Found? See(SearchModel model, int parent, Choice choice, int faults)
    {
        if (model.Violation is not null)
        {
            _isOver = true;
            return new Found(parent, choice, faults, [], model.Violation);
        }

        var hash = model.Hash();
        var fewest = _seen.AddOrUpdate(hash, (byte)(faults | 128), (_, before) =>
            faults < (before & 127) ? (byte)(faults | 128) : (byte)(before & 127));
        if ((fewest & 128) == 0)
        {
            return null;
        }

        var choices = new List<Choice>();
        model.Collect(choices);
        choices.RemoveAll(next => next.IsFault && faults == options.Faults);
        return new Found(parent, choice, faults, [.. choices], Violation: null);
    }

    private List<Choice> PathTo(Found state)
    {
        var path = new List<Choice>();
        if (state.Parent < 0)
        {
            return path;
        }

        path.Add(state.Choice);
        for (var index = state.Parent; index > 0; index = _states[index].Parent)
        {
            path.Add(_states[index].Choice);
        }

        path.Reverse();
        return path;
    }

    private sealed record Found(int Parent, Choice Choice, int Faults, Choice[] Next, string? Violation)
    {
        public int Index { get; set; }
    }
}
