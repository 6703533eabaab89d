using Weir.Operator.Crds;

if (args is ["crds", "--output", var directory])
{
    CrdFiles.Write(directory);
    return 0;
}

Console.Error.WriteLine("weir-operator: no such command. Without arguments it runs; crds --output DIR writes the definitions.");
return 2;
