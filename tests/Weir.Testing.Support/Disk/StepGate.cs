namespace Weir.Testing.Support.Disk;

/// <summary>The power switch and the count of steps that every mutating operation passes.</summary>
internal sealed class StepGate
{
    public Action<DiskStep>? BeforeStep { get; set; }

    public Func<DiskStep, bool>? SyncFails { get; set; }

    public long? CutAtStep { get; set; }

    public long Count { get; private set; }

    public bool IsOff { get; set; }

    public void RequirePower()
    {
        if (IsOff)
        {
            throw new PowerLossException("The simulated machine is off.");
        }
    }

    /// <summary>Counts a step; afterwards <see cref="Count"/> is its number.</summary>
    public DiskStep Pass(DiskOperation operation, string path)
    {
        RequirePower();
        var step = new DiskStep(Count + 1, operation, path);
        if (step.Number >= CutAtStep)
        {
            IsOff = true;
            throw new PowerLossException($"The power went before step {step.Number}, {operation} of '{path}'.");
        }

        Count = step.Number;
        BeforeStep?.Invoke(step);

        // The hook may have switched the machine off.
        RequirePower();
        return step;
    }

    /// <summary>Counts a sync and answers whether it is to fail.</summary>
    public bool PassSync(DiskOperation operation, string path)
    {
        var step = Pass(operation, path);
        return SyncFails is { } fails && fails(step);
    }
}
